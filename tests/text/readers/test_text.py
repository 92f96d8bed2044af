from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import fsspec
import pytest

from pretune.errors import InputError
from pretune.text.readers import read_documents
from pretune.text.readers.text import LONGEST

TEXT = "one\ntwo\r\n\n \nthree\nfour"


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ("line", ["one", "two", "three", "four"]),
        ("paragraph", ["one\ntwo", "three\nfour"]),
        ("file", ["one\ntwo\n\n \nthree\nfour"]),
    ],
)
def test_what_a_document_is(documents: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT.encode())
    skipped: Counter[str] = Counter()
    assert list(read_documents("a.txt", documents=documents, skipped=skipped)) == expected  # type: ignore[arg-type]
    assert skipped["blank"] == (2 if documents == "line" else 0)


def test_cells_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "one"}\n{"body": " "}\n{"body": "two"}\n')
    skipped: Counter[str] = Counter()
    assert list(read_documents("a.jsonl", column="body", skipped=skipped)) == ["one", "two"]
    assert skipped == {"blank": 1}
    with pytest.raises(InputError, match=r"a.jsonl:1: there is no column 'text'.*there are: body"):
        list(read_documents("a.jsonl"))
    (tmp_path / "b.jsonl").write_text('{"text": "one"}\n{"text": null}\n')
    with pytest.raises(InputError, match=r"b.jsonl:2: column 'text' holds None"):
        list(read_documents("b.jsonl"))


@pytest.mark.parametrize("documents", ["paragraph", "file"])
def test_a_huge_document_comes_in_pieces_that_lose_nothing(documents: str, tmp_path: Path) -> None:
    content = "".join(f"{i:099d}\n" for i in range(30_000))
    (tmp_path / "a.txt").write_text(content)
    pieces = list(read_documents("a.txt", documents=documents))  # type: ignore[arg-type]
    assert len(pieces) == 3
    assert max(map(len, pieces)) <= LONGEST
    assert all(piece.endswith("\n") for piece in pieces[:-1])
    assert "".join(pieces) + "\n" == content


def test_a_huge_line_of_a_paragraph_is_bounded_too(tmp_path: Path) -> None:
    # The blanks that start a piece within the line are no blank line: the paragraph goes on.
    content = "x" * LONGEST + " " * LONGEST + "y\n"
    (tmp_path / "a.txt").write_text(f"before\n{content}\nafter\n")
    pieces = list(read_documents("a.txt", documents="paragraph"))
    assert max(map(len, pieces)) <= LONGEST
    assert pieces == ["before\n", "x" * LONGEST, "y", "after"]


def test_a_url(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/reader/a.md.gz", gzip.compress(b"one\ntwo\n"))
    assert list(read_documents("memory://reader/a.md.gz")) == ["one", "two"]


def test_unknown_kind_of_document(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'word'; there are: line, paragraph, file"):
        list(read_documents("a.txt", documents="word"))  # type: ignore[arg-type]


@pytest.mark.parametrize("documents", ["line", "paragraph", "file"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_empty_file(content: str, documents: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(InputError, match=r"a.txt is empty"):
        list(read_documents("a.txt", documents=documents))  # type: ignore[arg-type]
