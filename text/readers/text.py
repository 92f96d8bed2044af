"""Documents: a line, a paragraph, a file, or a cell of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal, TextIO

from ...errors import InputError
from .files import suffix
from .opening import open_text
from .parts import FilePart
from .tables import TABLES, read_rows, require_columns

LONGEST = 1_000_000
"""Longer documents (in characters) come in pieces that, joined, are the whole: memory stays bounded.

They are broken between lines; only a single line that is longer still is broken within.
"""


def read_documents(
    path: str,
    *,
    documents: Literal["line", "paragraph", "file"] = "line",
    column: str = "text",
    encoding: str = "utf-8",
    skipped: Counter[str] | None = None,
) -> Iterator[str]:
    """Yield documents in the file's order; blank ones are left out and counted.

    Args:
        path: a table (csv, tsv, jsonl, json, parquet, arrow: its `column` is read), or else a text file.
        documents: what a document is in a text file: a line, what blank lines divide, or the whole file. All come in
            pieces of `LONGEST` characters at most, as cells of tables do.
        column: of the text in a table.
        encoding: of text formats.
        skipped: counts what was left out, as `blank`.

    Raises:
        InputError: naming file and line.
    """
    if documents not in ("line", "paragraph", "file"):
        raise InputError(f"documents is {documents!r}; there are: line, paragraph, file.")
    skipped = Counter() if skipped is None else skipped
    if suffix(path) in TABLES:
        yield from _cells(path, column, encoding, skipped)
        return
    empty = True
    with open_text(path, encoding) as lines:
        for text in _lines(lines) if documents == "line" else _pieces(lines, whole=documents == "file"):
            if text.strip():
                empty = False
                yield text
            elif documents == "line":
                skipped["blank"] += 1
    if empty and not isinstance(path, FilePart):
        raise InputError(f"{path} is empty.")


def _cells(path: str, column: str, encoding: str, skipped: Counter[str]) -> Iterator[str]:
    for where, row in read_rows(path, encoding):
        require_columns(where, row, [column])
        text = row[column]
        if not isinstance(text, str):
            raise InputError(f"{where}: column {column!r} holds {text!r}, not a text.")
        if text.strip():
            yield from (text[begin : begin + LONGEST] for begin in range(0, len(text), LONGEST))
        else:
            skipped["blank"] += 1


def _lines(text: TextIO) -> Iterator[str]:
    inside = False  # a line that is too long, whose end alone is no line of its own
    while line := text.readline(LONGEST):
        piece = line.rstrip("\r\n")
        if piece or not inside:
            yield piece
        inside = not line.endswith("\n")


def _pieces(text: TextIO, whole: bool) -> Iterator[str]:
    held: list[str] = []
    size = 0
    inside = False  # whether the last piece stopped within a line: what follows is not a line of its own
    while line := text.readline(LONGEST):
        divides = not whole and not inside and not line.strip()
        if divides or size + len(line) > LONGEST:
            yield "".join(held).rstrip("\r\n") if divides else "".join(held)
            held, size = [], 0
        inside = not line.endswith("\n")
        if not divides:
            held.append(line)
            size += len(line)
    yield "".join(held).rstrip("\r\n")
