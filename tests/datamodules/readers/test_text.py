from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pretune.datamodules.readers import read_documents
from pretune.datamodules.readers.text import LONGEST
from pretune.errors import InputError

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
    with pytest.raises(InputError, match="a.jsonl:1: there is no column 'text'.*there are: body"):
        list(read_documents("a.jsonl"))
    (tmp_path / "b.jsonl").write_text('{"text": "one"}\n{"text": null}\n')
    with pytest.raises(InputError, match="b.jsonl:2: column 'text' holds None"):
        list(read_documents("b.jsonl"))


def test_a_huge_document_comes_in_pieces_that_lose_nothing(tmp_path: Path) -> None:
    line = "x" * 99
    (tmp_path / "a.txt").write_text(f"{line}\n" * 30_000)
    pieces = list(read_documents("a.txt", documents="file"))
    assert max(map(len, pieces)) <= LONGEST + 100
    assert "\n".join(pieces).count(line) == 30_000


@pytest.mark.parametrize("documents", ["line", "paragraph", "file"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_empty_file(content: str, documents: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(InputError, match="a.txt is empty"):
        list(read_documents("a.txt", documents=documents))  # type: ignore[arg-type]
