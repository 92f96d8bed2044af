"""The texts of a target, or of test sets: every text that their files hold, or some columns of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import InputError
from ..readers import column_names, read_documents, read_rows, suffix
from ..readers.tables import TABLES


def read_texts(path: str, columns: Sequence[str] | None, option: str) -> Iterator[str]:
    """Yield the texts of a file.

    Args:
        path: a table, all of whose texts are read, or a text file, whose texts are divided by blank lines.
        columns: of tables that are read, where not all are.
        option: that names them, for the message.

    Raises:
        InputError: if the file cannot be read, or has none of the columns.
    """
    if suffix(path) not in TABLES:
        yield from read_documents(path, documents="paragraph")
        return
    names = set(column_names(path))
    if columns and not names & set(columns):
        raise InputError(
            f"{path} has none of the columns of data.selection.{option} ({', '.join(columns)}); there are: "
            f"{', '.join(sorted(names))}."
        )
    for _, row in read_rows(path):
        yield from texts_of({name: row.get(name) for name in columns} if columns else row)


def texts_of(cell: Any) -> Iterator[str]:
    """Yield the texts in a cell, whatever it holds; a list of words is one text."""
    if isinstance(cell, str):
        if cell.strip():
            yield cell
    elif isinstance(cell, dict):
        for value in cell.values():
            yield from texts_of(value)
    elif isinstance(cell, list | tuple):
        if cell and all(isinstance(one, str) for one in cell):
            yield " ".join(cell)
        else:
            for one in cell:
                yield from texts_of(one)
