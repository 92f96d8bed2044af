from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard

from pretune.errors import InputError
from pretune.text.readers import expand, fingerprint, open_text, suffix


def test_expand_sorts_globs_keeps_order_and_drops_doubles(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/c.txt", "z.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert expand(["z.csv", "*.txt", "a.txt"]) == ["z.csv", "a.txt", "b.txt"]
    assert expand(["./a.txt", "a.txt", str(tmp_path / "a.txt")]) == ["./a.txt"]
    assert expand(str(tmp_path / "**/*.txt")) == [str(tmp_path / p) for p in ("a.txt", "b.txt", "deep/c.txt")]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("corpsu.txt", r"; did you mean corpus.txt\?$"),
        ("nowhere/corpus.txt", "does not exist"),
        ("*.json", "No file matches"),
        ("folder", "is a folder"),
        ("corpus.tx?t", r"; did you mean corpus.txt\?$"),
        ("other.md", r"There is no file other.md in [^;]*[^.]\.$"),
        ("memory://nothing/*.txt", "No file matches"),
        ("memory://reader-folder", r"is a folder; a glob such as memory://reader-folder/\*.txt"),
        ("nosuch://a.txt", "nosuch://a.txt cannot be read"),
    ],
)
def test_expand_says_what_is_missing(pattern: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("x")
    (tmp_path / "folder").mkdir()
    fsspec.filesystem("memory").pipe("/reader-folder/one.txt", b"x")
    with pytest.raises(InputError, match=message):
        expand(pattern)


def test_urls() -> None:
    fsspec.filesystem("memory").pipe("/corpus/one.txt", b"hello\n")
    (path,) = expand("memory://corpus/*.txt")
    with open_text(path) as text:
        assert text.read() == "hello\n"
    assert fingerprint([path])


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


@pytest.mark.parametrize("error", [OSError("of the reader's own"), ValueError("so is this"), EOFError("and this")])
def test_errors_of_the_one_who_reads_pass_unchanged(error: Exception, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(type(error)) as caught, open_text("a.txt"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_empty_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"^{name} is empty"), open_text(name):
        pass


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


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("café\n".encode("latin-1"), "latin-1"),
        ("房间很干净，服务不错\n".encode("gbk"), "gb18030"),
        ("hi".encode("utf-16"), "utf-16"),
    ],
)
def test_the_proposed_encoding_reads_the_file(content: bytes, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=f"a.txt:1: byte .* to {encoding} for instance"), open_text("a.txt") as text:
        text.read()
    with open_text("a.txt", encoding) as text:
        assert text.read() == content.decode(encoding)


def test_a_character_cut_off_by_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n" + "zwö".encode()[:-1])
    with pytest.raises(InputError, match=r"a.txt:2: byte 6 \(0xC3\)"), open_text("a.txt") as text:
        text.read()


def test_the_offset_is_in_the_decompressed_stream(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a" * 99_999 + b"\n\xff\n"))
    with pytest.raises(InputError, match=r"a.txt.gz:2: byte 100000 \(0xFF\)"), open_text("a.txt.gz") as text:
        text.read()


def test_unknown_encoding() -> None:
    with pytest.raises(InputError, match="no encoding 'utf-9'"), open_text("a.txt", "utf-9"):
        pass


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    before = fingerprint(["a.txt"])
    (tmp_path / "a.txt").write_text("xy")
    assert fingerprint(["a.txt"]) != before
    assert json.loads(json.dumps(before)) == before


@pytest.mark.parametrize("path", ["gone.txt", "memory://gone.txt"])
def test_a_file_that_is_gone(path: str) -> None:
    with pytest.raises(InputError, match=f"{path} cannot be read"):
        fingerprint([path])
    with pytest.raises(InputError, match=f"{path} cannot be opened"), open_text(path):
        pass


def test_the_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"No file matches .*json.*looked in {tmp_path}"):
        expand("*.json")
