"""Compressed files are read to their end, and damaged ones are refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pretune.errors import InputError
from pretune.text.readers import open_text, suffix

COMPRESS = [
    (".gz", gzip.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
    (".zst", zstandard.ZstdCompressor(write_checksum=True).compress),
]


@pytest.mark.parametrize(("ending", "compress"), COMPRESS)
def test_compression(ending: str, compress: Any, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compress("größe\nzwei\n".encode()))
    with open_text(str(path)) as text:
        assert list(text) == ["größe\n", "zwei\n"]
    assert suffix(str(path)) == ".txt"
    path.write_bytes(path.read_bytes() * 2)  # as `cat a.gz b.gz` writes them
    with open_text(str(path)) as text:
        assert text.read() == "größe\nzwei\n" * 2


@pytest.mark.parametrize(("ending", "compress"), COMPRESS)
@pytest.mark.parametrize("damage", ["cut off", "cut in half", "not compressed", "garbled"])
def test_broken_compression(ending: str, compress: Any, damage: str, tmp_path: Path) -> None:
    # More than one buffer of text that does not compress well, so that the damage lies behind a part that can be read.
    whole = compress(random.Random(0).randbytes(100_000).hex().encode())
    middle = len(whole) // 2
    content = {
        "cut off": whole[:-9],
        "cut in half": whole[:middle],
        "not compressed": b"plain text",
        "garbled": whole[:middle] + b"\xff" * 4000 + whole[middle + 4000 :],
    }[damage]
    (tmp_path / f"a.txt{ending}").write_bytes(content)
    with (
        pytest.raises(InputError, match=rf"^a\.txt\{ending} is not a whole compressed file: "),
        open_text(f"a.txt{ending}") as text,
    ):
        text.read()
