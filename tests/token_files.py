"""Token files as other tools write them, made by hand from their published formats, and what comes of them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.preparing.importing.importing import import_tokens
from pretune.datamodules.preparing.made import Prepared
from pretune.storage.prepared import Manifest

TEXTS = [f"{sentence(number, 5 + number % 17)} n\u00ba {number}" for number in range(60)]


def ended(documents: list[list[int]]) -> list[int]:
    return [token for document in documents for token in (*document, 0)]


def imported(
    kind: Any, tokens: str | list[str], gpt: str, size: int = 1 << 20, output: str = "out", **options: Any
) -> Prepared:
    data = CorpusDataModule(**{"tokenizer": gpt, "validation_fraction": 0.0, **options})
    return import_tokens(data, output, kind, [tokens] if isinstance(tokens, str) else tokens, size)


def read_back(split: str = "train", output: str = "out") -> list[int]:
    """All tokens that a training would see, in order."""
    data = CorpusDataModule(prepared=output, block_size=16, special_tokens=False, num_workers=0)
    data.prepare_data()
    data.setup("fit")
    batch = data.datasets[split][list(range(len(data.datasets[split])))]
    return [int(token) for token in batch["input_ids"][batch["attention_mask"].bool()]]


def stored(manifest: Manifest, split: str, output: str = "out") -> list[list[int]]:
    """The documents of a split."""
    found = []
    for shard in manifest.splits[split].shards:
        ids = np.fromfile(Path(output, f"{shard.name}.bin"), manifest.dtype)
        found += np.split(ids, np.fromfile(Path(output, f"{shard.name}.ends.bin"), "<i8")[:-1])
    return [row.tolist() for row in found]


# ------------------------------------------------------------------ what the tools write


def write_megatron(
    stem: str, documents: list[list[list[int]]], dtype: str = "<i4", code: int = 4, tail: bytes = b""
) -> None:
    """Documents of several sequences each."""
    sequences = [sequence for document in documents for sequence in document]
    lengths = np.array([len(sequence) for sequence in sequences], "<i4")
    pointers = (np.cumsum(lengths, dtype="<i8") - lengths) * np.dtype(dtype).itemsize
    indices = np.cumsum([0, *(len(document) for document in documents)], dtype="<i8")
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, code, len(sequences), len(indices))
    Path(f"{stem}.idx").write_bytes(head + lengths.tobytes() + pointers.astype("<i8").tobytes() + indices.tobytes())
    Path(f"{stem}.bin").write_bytes(np.concatenate([np.array(s, dtype) for s in sequences]).tobytes() + tail)


def write_litdata(
    folder: str, chunks: list[list[list[int]]], dtype: str = "<i4", code: str = "no_header_tensor:16", **config: Any
) -> None:
    """Chunks of items."""
    Path(folder).mkdir()
    told = []
    for number, items in enumerate(chunks):
        data = [np.array(item, dtype).tobytes() for item in items]
        offsets = np.cumsum([4 * (len(items) + 2), *map(len, data)]).astype("<u4")
        content = struct.pack("<I", len(items)) + offsets.tobytes() + b"".join(data)
        name = f"chunk-0-{number}.bin"
        Path(folder, name).write_bytes(content)
        dim = sum(map(len, items))
        told.append({"chunk_bytes": len(content), "chunk_size": len(items), "filename": name, "dim": dim})
    plain = {"compression": None, "encryption": None, "data_format": [code], "data_spec": "[1]", "chunk_bytes": 1 << 26}
    index = {"chunks": told, "config": {**plain, "item_loader": "TokensLoader", **config}, "updated_at": "1.0"}
    Path(folder, "index.json").write_text(json.dumps(index, sort_keys=True))


def write_nanogpt(path: str, ids: list[int], tail: bytes = b"") -> None:
    Path(path).write_bytes(np.array(ids, "<u2").tobytes() + tail)


def damaged(path: str, change: Callable[[bytes], bytes]) -> None:
    Path(path).write_bytes(change(Path(path).read_bytes()))
