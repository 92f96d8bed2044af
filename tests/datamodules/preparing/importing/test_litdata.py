from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from token_files import damaged, ended, imported, read_back, stored, write_litdata  # type: ignore[import-not-found]

from pretune.errors import InputError


@pytest.mark.parametrize(
    ("dtype", "code"), [("<i4", "no_header_tensor:16"), ("<u2", "no_header_numpy:5"), ("<u2", "no_header_tensor:20")]
)
def test_litdata(gpt: str, documents: list[list[int]], dtype: str, code: str) -> None:
    """Items are joined within a chunk, and divided where texts end."""
    first, second = ended(documents[:30]), ended(documents[30:])
    write_litdata("tokens", [[first[:50], first[50:51], first[51:]], [second]], dtype, code)
    chunk = Path("tokens/chunk-0-1.bin")
    chunk.write_bytes(chunk.read_bytes() + b"\x00")
    made = imported("litdata", "tok*", gpt)
    assert read_back() == ended(documents)
    assert stored(made.manifest, "train") == [[*row, 0] for row in documents]
    assert made.notes == [
        "tokens/chunk-0-1.bin: 1 bytes at the end, which lie behind the last whole id of the last item, were not read."
    ]
    assert [shard.documents for shard in made.manifest.splits["train"].shards] == [30, 30]


def test_the_last_item_of_a_chunk_may_be_incomplete(gpt: str, documents: list[list[int]]) -> None:
    write_litdata("tokens", [[ended(documents[:2]), ended(documents[2:3])]])
    content = Path("tokens/chunk-0-0.bin").read_bytes()
    end = struct.pack("<I", len(content) + 3)
    Path("tokens/chunk-0-0.bin").write_bytes(content[:12] + end + content[16:] + b"abc")
    made = imported("litdata", "tokens/index.json", gpt)
    assert read_back() == ended(documents[:3])
    assert made.manifest.options["files"] == [{"file": "chunk-0-0.bin", "ids": len(read_back()), "left_over_bytes": 3}]


@pytest.mark.parametrize(
    ("config", "change", "said"),
    [
        ({"compression": "zstd"}, None, "index.json says compression: 'zstd'; only plain chunks are read here"),
        ({"encryption": {"algorithm": "fernet"}}, None, "index.json says encryption"),
        ({"item_loader": "PyTreeLoader"}, None, "was written for PyTreeLoader"),
        ({"data_format": ["jpeg", "int"]}, None, "says data_format: ['jpeg', 'int']"),
        ({"data_format": ["no_header_tensor:0"]}, None, "arrays or tensors of whole numbers are tokens"),
        ({}, lambda c: c[:-1], "chunk-0-0.bin is cut off: its last item ends at byte"),
        ({}, lambda c: b"\x05" + c[1:], "tells of 2 items in it, and it of 5 items"),
        ({}, lambda c: c[:4] + b"\x00" + c[5:], "its items do not follow one another"),
        ({}, lambda c: c[:8] + bytes([c[8] + 1]) + c[9:], "item 0 is no whole number of ids of 4 bytes"),
        ({}, lambda c: c[:12] + struct.pack("<I", len(c) - 4) + c[16:], "tokens in it, and its items have"),
    ],
)
def test_damaged_litdata(
    gpt: str, documents: list[list[int]], config: Any, change: Callable[[bytes], bytes] | None, said: str
) -> None:
    write_litdata("tokens", [[ended(documents[:2]), ended(documents[2:3])]], **config)
    if change is not None:
        damaged("tokens/chunk-0-0.bin", change)
    with pytest.raises(InputError) as caught:
        imported("litdata", "tokens", gpt)
    assert said in str(caught.value)
    assert not Path("out").exists()
