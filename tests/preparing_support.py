"""Small corpora, and what a preparation leaves, as arrays."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.preparing.executors import Executors
from pretune.datamodules.preparing.made import Prepared
from pretune.datamodules.preparing.prepare import prepare
from pretune.storage.prepared import Manifest
from pretune.text.tokenizer import load_tokenizer

TEXT = "the house and a garden of old trees with many birds that sing in summer have been to be"
WORDS = TEXT.split()


def sentence(draw: random.Random, least: int = 3, most: int = 30) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def sentences(count: int, seed: int = 0, least: int = 8) -> list[str]:
    """No two alike."""
    draw = random.Random(seed)
    return [f"{sentence(draw, least)} {seed}x{number}" for number in range(count)]


def run(
    output: str | Path, tasks: int = 3, workers: int = 1, size: int = 2_000, page: Any = None, **options: Any
) -> Prepared:
    return prepare(CorpusDataModule(**options), str(output), Executors(tasks=tasks, workers=workers), size, page)


def content(output: str | Path) -> dict[str, bytes]:
    """All files, by name."""
    paths = sorted(path for path in Path(output).rglob("*") if path.is_file())
    return {str(path.relative_to(output)): path.read_bytes() for path in paths}


def tokens(output: str | Path, manifest: Manifest, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All ids of a split, and the length of each document."""
    shards = [shard.name for shard in manifest.splits[split].shards]
    ids = [np.fromfile(Path(output, f"{name}.bin"), np.dtype(manifest.dtype).newbyteorder("<")) for name in shards]
    ends = [np.fromfile(Path(output, f"{name}.ends.bin"), "<i8") for name in shards]
    lengths = [np.diff(end, prepend=0) for end in ends]
    return np.concatenate([*ids, np.zeros(0, np.int64)]), np.concatenate([*lengths, np.zeros(0, np.int64)])


CHARACTERS = {"train": "character", "vocab_size": 200}
"""A tokenizer whose tokens tell the text."""


def documents(output: str | Path, manifest: Manifest, split: str = "train") -> list[str]:
    """The texts of a split that `CHARACTERS` tokenized."""
    ids, lengths = tokens(output, manifest, split)
    tokenizer = load_tokenizer(str(Path(output, "tokenizer")))
    parts = np.split(ids, np.cumsum(lengths)[:-1]) if len(lengths) else []
    return [tokenizer.decode(part[:-1].astype(int)) for part in parts]


def write_jsonl(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
