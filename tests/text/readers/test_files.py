from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from pretune.errors import InputError
from pretune.text.readers import expand, fingerprint, open_text


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


def test_the_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"No file matches .*json.*looked in {tmp_path}"):
        expand("*.json")
