"""Rows out of csv, tsv, jsonl, json, parquet and arrow files, each with the place it stands at."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from itertools import takewhile
from typing import Any

from ...errors import InputError
from .arrow import arrow_columns, read_arrow
from .conll import ENDINGS as CONLL
from .conll import read_conll
from .dialogues import dialogue_questions, is_dialogues
from .files import suffix
from .json_text import parse_json
from .opening import LONGEST_LINE, lines, open_text
from .parts import FilePart
from .rows import Bad, Row, refuse
from .squad import is_squad, questions

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", *CONLL)

csv.field_size_limit(LONGEST_LINE)  # texts are longer than the module expects

LARGEST_JSON = 2_000_000_000
"""Characters in a .json file, at most: all of it has to fit into memory, several times."""


def read_rows(path: str, encoding: str = "utf-8", bad: Bad = refuse) -> Iterator[Row]:
    """Yield rows in the file's order, one at a time.

    Args:
        path: a file of one of the formats in `TABLES`, plain or compressed. csv follows RFC 4180; tsv is taken
            literally, without quoting, as the GLUE files need it.
        encoding: of text formats.
        bad: takes what is wrong with one row alone: another number of fields, no JSON. Of a quote out of place nobody
            knows which rows it spoils.

    Yields:
        Where the row starts (`reviews.csv:12`, lines counted from 1; `reviews.parquet row 12`), and the row.

    Raises:
        InputError: naming file, line and column.
    """
    kind = _known(path)
    readers: dict[str, Callable[[str, str, Bad], Iterator[Row]]] = dict.fromkeys(CONLL, read_conll)
    readers |= {".csv": _delimited, ".tsv": _delimited, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json}
    empty = True

    def noted(error: InputError) -> None:
        nonlocal empty
        bad(error)
        empty = False  # and yet without a row that can be used, as its reader will say

    rows = read_arrow(path, kind) if kind not in readers else readers[kind](path, encoding, noted)
    for where, row in rows:
        empty = False
        yield where, row
    if empty and not isinstance(path, FilePart):
        raise InputError(f"{path} has no rows.")


def column_names(path: str, encoding: str = "utf-8") -> list[str]:
    """Return the columns of a table, from its header, its schema or (json) its first row.

    Raises:
        InputError: as `read_rows`.
    """
    kind = _known(path)
    if kind in (".csv", ".tsv"):
        line, fields = next(_records(path, encoding))
        return _header(f"{path}:{line}", fields)
    if kind in (".parquet", ".arrow", ".feather"):
        return arrow_columns(path, kind)
    return list(next(read_rows(path, encoding))[1])


def _known(path: str) -> str:
    kind = suffix(path)
    if kind not in TABLES:
        raise InputError(f"{path}: no table format ends in {kind or 'nothing'!r}; these do: {', '.join(TABLES)}.")
    return kind


def require_columns(where: str, row: dict[str, Any], columns: Sequence[str]) -> None:
    """Raise an `InputError` that lists the columns there are, if one of `columns` is not among them."""
    for name in columns:
        if name not in row:
            close = get_close_matches(name, list(row), n=1)
            near = f" (did you mean {close[0]!r}?)" if close else ""
            raise InputError(f"{where}: there is no column {name!r}{near}; there are: {', '.join(row)}.")


def _delimited(path: str, encoding: str, bad: Bad) -> Iterator[Row]:
    records = _records(path, encoding)
    line, names = next(records)
    header = _header(f"{path}:{line}", names)
    if len(header) == 1 and (delimiter := next((mark for mark in ";\t" if mark in header[0]), None)) is not None:
        raise InputError(
            f"{path}:{line}: the columns are divided by {delimiter!r}; commas would work (or tabs, in a .tsv)."
        )
    for line, fields in records:
        if len(fields) != len(header):
            if len(fields) == 1 and not fields[0].strip():
                continue  # a line of nothing but spaces
            hint = "a tab inside a text?" if suffix(path) == ".tsv" else "an unquoted comma or quote?"
            width = "1 field" if len(fields) == 1 else f"{len(fields):,} fields"
            bad(InputError(f"{path}:{line}: {width}, but the header has {len(header)} ({hint})."))
            continue
        yield f"{path}:{line}", dict(zip(header, fields, strict=True))


def _records(path: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line each record starts at, and its fields; the header is the first.

    Raises:
        InputError: if there is not even a header.
    """
    empty = True
    for line, fields in (_tsv if suffix(path) == ".tsv" else _csv)(path, encoding):
        if empty and not "".join(fields).strip():
            continue  # blank lines above the header
        empty = False
        yield line, fields
    if empty:
        raise InputError(f"{path} is empty.")


def _tsv(path: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    # Only a line feed ends a row: Python's csv would take a carriage return inside a text for one too.
    with open_text(path, encoding, newline="\n") as text:
        for number, line in enumerate(lines(text, path), 1):
            if line := line.removesuffix("\n").removesuffix("\r"):
                yield number, line.split("\t")


def _csv(path: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    with open_text(path, encoding, newline="") as text:
        reader = csv.reader(lines(text, path), strict=True)
        start = 1
        try:
            for fields in reader:
                if fields:
                    yield start, fields
                start = reader.line_num + 1
        except csv.Error as error:
            if str(error) == "unexpected end of data":
                opened = _open_quote(path, encoding, start)
                raise InputError(f"{path}:{opened}: the quote that is opened here is never closed.") from error
            hint = "a quote inside a quoted text is written twice, and a cell has an end"
            raise InputError(f"{path}:{start}: {error} in the row that starts here ({hint}).") from error


def _open_quote(path: str, encoding: str, start: int) -> int:
    """Return the line of the quote that is never closed, in the record that starts at line `start`."""
    with open_text(path, encoding, newline="") as text:
        record = "".join(line for number, line in enumerate(text, 1) if number >= start)
    closed = re.match(r'(?:(?:"[^"]*+(?:""[^"]*+)*+"|[^",][^,]*+)?+,)*+', record)
    return start + len(re.findall(r"\r\n?|\n", record[: closed.end() if closed else 0]))


def _header(where: str, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    for name in names:
        if not name:
            raise InputError(f"{where}: a column has no name; the first line must name every column.")
        if names.count(name) > 1:
            raise InputError(f"{where}: two columns are named {name!r}.")
    return names


def _jsonl(path: str, encoding: str, bad: Bad) -> Iterator[Row]:
    empty = True
    with open_text(path, encoding) as text:
        for number, line in enumerate(lines(text, path), 1):
            if not line.strip():
                continue
            empty = False
            try:
                row = parse_json(line, f"{path}:{number}")
            except InputError as error:
                bad(error)
                continue
            if is_dialogues([row]):
                yield from dialogue_questions(f"{path}:{number}", [row], bad)
                continue
            if not isinstance(row, dict):
                bad(InputError(f"{path}:{number}: a {type(row).__name__} where an object {{...}} should be."))
                continue
            yield f"{path}:{number}", row
    if empty and not isinstance(path, FilePart):
        raise InputError(f"{path} is empty.")


def _json(path: str, encoding: str, bad: Bad) -> Iterator[Row]:
    with open_text(path, encoding) as text:
        # In pieces: memory for as many characters as are asked for at once is taken before there are any.
        pieces = takewhile(bool, (text.read(1 << 24) for _ in range(LARGEST_JSON // (1 << 24) + 1)))
        content = "".join(pieces)
    if len(content) > LARGEST_JSON:
        raise InputError(f"{path} has more than {LARGEST_JSON:,} characters: .jsonl, a row a line, is read row by row.")
    if not content.strip():
        raise InputError(f"{path} is empty.")
    rows = parse_json(content, path, lined=True)
    if isinstance(rows, dict) and isinstance(rows.get("data"), list):
        rows = rows["data"]
    if not isinstance(rows, list):
        raise InputError(f"{path}: a list of objects, or an object with one under 'data', should be here.")
    if is_squad(rows):
        yield from questions(path, rows, bad)
        return
    if is_dialogues(rows):
        yield from dialogue_questions(path, rows, bad)
        return
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            bad(InputError(f"{path} row {number}: a {type(row).__name__} where an object {{...}} should be."))
            continue
        yield f"{path} row {number}", row
