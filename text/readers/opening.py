"""Opening files as bytes or text: decompressed, decoded, and with errors that name line and byte."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO

from ...errors import InputError
from .compression import decompressed, refuse_broken
from .encodings import known_encoding, where_undecodable
from .parts import FilePart, Section

GROUPED = (".parquet", ".arrow", ".feather")
"""Formats whose parts are row groups."""
LONGEST_LINE = 50_000_000
"""Characters in a line of a table, at most: a few copies of it have to fit into memory."""


@contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """Open a file as a buffered stream of its decompressed content.

    Args:
        path: a path or URL.

    Raises:
        InputError: if it cannot be opened.
    """
    try:
        if "://" in path:
            import fsspec

            raw: Any = fsspec.open(path, "rb").open()
        else:
            raw = open(path, "rb")  # noqa: SIM115  closed below, around the decompressor
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}.") from error
    with raw:
        is_bytes = isinstance(path, FilePart) and not path.endswith(GROUPED)
        yield io.BufferedReader(Section(raw, path)) if is_bytes else decompressed(raw, path)  # type: ignore[arg-type]


@contextmanager
def open_text(path: str, encoding: str = "utf-8", newline: str | None = None) -> Iterator[TextIO]:
    """Open a file as a stream of text, decompressed by the file's ending, without a byte-order mark.

    Args:
        path: a path or URL.
        encoding: `utf-8` unless the user says otherwise.
        newline: as in `open`; `""` for csv.

    Raises:
        InputError: for bytes of another encoding (with their line, and their offset in the decompressed stream), broken
            compression, an empty file.
    """
    known = known_encoding(encoding)
    try:
        with open_binary(path) as binary:
            if not binary.peek(1):  # type: ignore[attr-defined]  # every stream of open_binary is buffered
                raise InputError(f"{path} is empty.")
            inside = isinstance(path, FilePart) and path.start > 0 and not path.head  # where a mark is a character
            marked = "utf-8-sig" if known == "utf-8" and not inside else encoding
            text = io.TextIOWrapper(binary, encoding=marked, newline=newline)
            yield text
    except UnicodeError as error:
        try:
            with open_binary(path) as binary:
                place = where_undecodable(binary, path, encoding)
        except Exception as broken:  # further on
            refuse_broken(path, broken)
            raise
        raise InputError(place) from error
    except Exception as error:
        refuse_broken(path, error)
        raise


def lines(text: TextIO, path: str) -> Iterator[str]:
    """Yield the lines of a text, with their ends.

    Raises:
        InputError: for a line of more than `LONGEST_LINE` characters, which is no line (and would not fit into memory).
    """
    number = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{path}:{number}: a line of more than {LONGEST_LINE:,} characters, which is no row of a table."
            )
        yield line
