from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import fsspec
import pytest
import zstandard

from pretune.datamodules.readers import expand, fingerprint, open_text, suffix
from pretune.errors import InputError


def test_expand_sorts_globs_keeps_order_and_drops_doubles(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "z.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert expand(["z.csv", "*.txt", "a.txt"]) == ["z.csv", "a.txt", "b.txt"]
    assert expand(str(tmp_path / "**/*.txt")) == [str(tmp_path / p) for p in ("a.txt", "b.txt", "deep/c.txt")]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("corpsu.txt", "did you mean corpus.txt"),
        ("nowhere/corpus.txt", "does not exist"),
        ("*.json", "No file matches"),
        ("folder", "is a folder"),
        ("memory://nothing/*.txt", "No file matches"),
    ],
)
def test_expand_says_what_is_missing(pattern: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=message):
        expand(pattern)


def test_urls() -> None:
    fsspec.filesystem("memory").pipe("/corpus/one.txt", b"hello\n")
    (path,) = expand("memory://corpus/*.txt")
    with open_text(path) as text:
        assert text.read() == "hello\n"
    assert fingerprint([path])


@pytest.mark.parametrize(
    ("ending", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstandard.ZstdCompressor().compress)],
)
def test_compression(ending: str, compress, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compress("größe\nzwei\n".encode()))
    with open_text(str(path)) as text:
        assert list(text) == ["größe\n", "zwei\n"]
    assert suffix(str(path)) == ".txt"
    path.write_bytes(path.read_bytes()[:-9])
    if ending != ".zst":  # whose reader cannot tell
        with pytest.raises(InputError, match="not a whole compressed file"), open_text(str(path)) as text:
            text.read()


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello")
    with open_text("a.txt") as text:
        assert text.read() == "hello"


@pytest.mark.parametrize("before", [0, 65_534, 65_535, 65_536, 200_000])
def test_wrong_encoding_names_line_and_byte(before: int, tmp_path: Path) -> None:
    lines = (b"abcdefghi\n" * (before // 10 + 1))[:before]
    (tmp_path / "a.txt").write_bytes(lines + "ö".encode() + b"\n caf\xe9 \n")
    with pytest.raises(InputError) as caught, open_text("a.txt") as text:
        text.read()
    assert f"a.txt:{lines.count(10) + 2}: byte {before + 7} (0xE9) is not utf-8" in str(caught.value)
    with open_text("a.txt", "latin-1") as text:
        assert "café" in text.read()


def test_unknown_encoding() -> None:
    with pytest.raises(InputError, match="no encoding 'utf-9'"), open_text("a.txt", "utf-9"):
        pass


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    before = fingerprint(["a.txt"])
    (tmp_path / "a.txt").write_text("xy")
    assert fingerprint(["a.txt"]) != before
