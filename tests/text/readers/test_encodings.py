"""What cannot be decoded is named: line, byte, and an encoding that would work."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text.readers import open_text


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
