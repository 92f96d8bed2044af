"""Documents: a line, a paragraph, a file, or a cell of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from ...errors import InputError
from .files import open_text, suffix
from .tables import TABLES, read_rows, require_columns

LONGEST = 1_000_000
"""Longer documents (in characters) are handed out in pieces, broken between lines: memory stays bounded."""


def read_documents(
    path: str,
    *,
    documents: Literal["line", "paragraph", "file"] = "line",
    column: str = "text",
    encoding: str = "utf-8",
    skipped: Counter[str] | None = None,
) -> Iterator[str]:
    """Documents in the file's order; blank ones are left out and counted.

    Args:
        path: a table (csv, tsv, jsonl, json, parquet, arrow: its `column` is read), or else a text file.
        documents: what a document is in a text file: a line, what blank lines divide, or the whole file.
        column: of the text in a table.
        encoding: of text formats.
        skipped: counts what was left out, as `blank`.

    Raises:
        InputError: naming file and line.
    """
    skipped = Counter() if skipped is None else skipped
    if suffix(path) in TABLES:
        yield from _cells(path, column, encoding, skipped)
        return
    found = False
    with open_text(path, encoding) as lines:
        for text in _lines(lines) if documents == "line" else _pieces(lines, whole=documents == "file"):
            if text.strip():
                found = True
                yield text
            elif documents == "line":
                skipped["blank"] += 1
    if not found:
        raise InputError(f"{path} is empty.")


def _cells(path: str, column: str, encoding: str, skipped: Counter[str]) -> Iterator[str]:
    for where, row in read_rows(path, encoding):
        require_columns(where, row, [column])
        text = row[column]
        if not isinstance(text, str):
            raise InputError(f"{where}: column {column!r} holds {text!r}, not a text.")
        if text.strip():
            yield text
        else:
            skipped["blank"] += 1


def _lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\r\n")


def _pieces(lines: Iterable[str], whole: bool) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for line in lines:
        if (not whole and not line.strip()) or size >= LONGEST:
            yield "".join(held).rstrip("\r\n")
            held, size = [], 0
            if not whole and not line.strip():
                continue
        held.append(line)
        size += len(line)
    yield "".join(held).rstrip("\r\n")
