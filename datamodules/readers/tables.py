"""Rows out of csv, tsv, jsonl, json, parquet and arrow files, each with the place it stands at."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from ...errors import InputError, first_line
from .conll import ENDINGS as CONLL
from .conll import read_conll
from .files import COMPRESSIONS, open_binary, open_text, suffix
from .squad import is_squad, questions

Row = tuple[str, dict[str, Any]]
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", *CONLL)

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # texts are longer than the module expects


def read_rows(path: str, encoding: str = "utf-8") -> Iterator[Row]:
    """Rows in the file's order, one at a time.

    Args:
        path: a file of one of the formats in `TABLES`, plain or compressed. csv follows RFC 4180; tsv is taken
            literally, without quoting, as the GLUE files need it.
        encoding: of text formats.

    Yields:
        Where the row starts (`reviews.csv:12`, lines counted from 1; `reviews.parquet row 12`), and the row.

    Raises:
        InputError: naming file, line and column.
    """
    kind = _known(path)
    readers: dict[str, Callable[[str, str], Iterator[Row]]] = dict.fromkeys(CONLL, read_conll)
    readers |= {".csv": _delimited, ".tsv": _delimited, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json}
    rows = _arrow(path, kind) if kind not in readers else readers[kind](path, encoding)
    empty = True
    for where, row in rows:
        empty = False
        yield where, row
    if empty:
        raise InputError(f"{path} has no rows.")


def column_names(path: str, encoding: str = "utf-8") -> list[str]:
    """The columns of a table, from its header, its schema or (json) its first row.

    Raises:
        InputError: as `read_rows`.
    """
    kind = _known(path)
    if kind in (".csv", ".tsv"):
        line, fields = next(_records(path, encoding))
        return _header(f"{path}:{line}", fields)
    if kind in (".parquet", ".arrow", ".feather"):
        with _arrow_file(path, kind) as file:
            return list((file.schema_arrow if kind == ".parquet" else file.schema).names)
    return list(next(read_rows(path, encoding))[1])


def _known(path: str) -> str:
    kind = suffix(path)
    if kind not in TABLES:
        raise InputError(f"{path}: no table format ends in {kind or 'nothing'!r}; these do: {', '.join(TABLES)}.")
    return kind


def require_columns(where: str, row: dict[str, Any], columns: Sequence[str]) -> None:
    """Raises an `InputError` that lists the columns there are, if one of `columns` is not among them."""
    for name in columns:
        if name not in row:
            close = get_close_matches(name, list(row), n=1)
            near = f" (did you mean {close[0]!r}?)" if close else ""
            raise InputError(f"{where}: there is no column {name!r}{near}; there are: {', '.join(row)}.")


def _delimited(path: str, encoding: str) -> Iterator[Row]:
    records = _records(path, encoding)
    line, names = next(records)
    header = _header(f"{path}:{line}", names)
    for line, fields in records:
        if len(fields) != len(header):
            if len(fields) == 1 and not fields[0].strip():
                continue  # a line of nothing but spaces
            hint = "a tab inside a text?" if suffix(path) == ".tsv" else "an unquoted comma or quote?"
            raise InputError(f"{path}:{line}: {len(fields)} fields, but the header has {len(header)} ({hint}).")
        yield f"{path}:{line}", dict(zip(header, fields, strict=True))


def _records(path: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """The line each record starts at, and its fields; the header is the first.

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
        for number, line in enumerate(text, 1):
            if line := line.removesuffix("\n").removesuffix("\r"):
                yield number, line.split("\t")


def _csv(path: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    with open_text(path, encoding, newline="") as text:
        reader = csv.reader(text, strict=True)
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
            hint = "a quote inside a quoted text is written twice"
            raise InputError(f"{path}:{start}: {error} in the row that starts here ({hint}).") from error


def _open_quote(path: str, encoding: str, start: int) -> int:
    """The line of the quote that is never closed, in the record that starts at line `start`."""
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


def _jsonl(path: str, encoding: str) -> Iterator[Row]:
    empty = True
    with open_text(path, encoding) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            empty = False
            try:
                row = json.loads(line)
            except RecursionError as error:
                raise InputError(f"{path}:{number}: nested too deeply.") from error
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON at column {error.colno}: {error.msg}.") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}:{number}: a {type(row).__name__} where an object {{...}} should be.")
            yield f"{path}:{number}", row
    if empty:
        raise InputError(f"{path} is empty.")


def _json(path: str, encoding: str) -> Iterator[Row]:
    with open_text(path, encoding) as text:
        content = text.read()
    if not content.strip():
        raise InputError(f"{path} is empty.")
    try:
        rows = json.loads(content)
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply.") from error
    except json.JSONDecodeError as error:
        hint = "; if every line is an object of its own, name the file .jsonl" if error.msg == "Extra data" else ""
        raise InputError(f"{path}:{error.lineno}: not JSON at column {error.colno}: {error.msg}{hint}.") from error
    if isinstance(rows, dict) and isinstance(rows.get("data"), list):
        rows = rows["data"]
    if not isinstance(rows, list):
        raise InputError(f"{path}: a list of objects, or an object with one under 'data', should be here.")
    if is_squad(rows):
        yield from questions(path, rows)
        return
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"{path} row {number}: a {type(row).__name__} where an object {{...}} should be.")
        yield f"{path} row {number}", row


def _arrow(path: str, kind: str) -> Iterator[Row]:
    number = 0
    with _arrow_file(path, kind) as file:
        for batch in file.iter_batches(1024) if kind == ".parquet" else _batches(file):
            for row in batch.to_pylist():
                yield f"{path} row {number}", row
                number += 1


def _batches(file: Any) -> Iterator[Any]:
    if hasattr(file, "get_batch"):
        yield from map(file.get_batch, range(file.num_record_batches))
    else:
        yield from file


@contextmanager
def _arrow_file(path: str, kind: str) -> Iterator[Any]:
    """A parquet file, or an arrow file or stream."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_binary(path) as binary:
            if not binary.peek(1):  # type: ignore[attr-defined]  # every stream of open_binary is buffered
                raise InputError(f"{path} is empty.")
            yield pq.ParquetFile(binary) if kind == ".parquet" else _open_arrow(binary)
    except io.UnsupportedOperation as error:
        raise InputError(f"{path}: decompress it first; a {kind} file is read from its end.") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        compressed = path.lower().endswith(tuple(COMPRESSIONS))
        what = "a whole compressed" if compressed else "a parquet" if kind == ".parquet" else "an arrow"
        raise InputError(f"{path} is not {what} file: {first_line(error).rstrip('.')}.") from error


def _open_arrow(binary: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_file(binary)
    except pa.ArrowInvalid:  # the streaming format, as `datasets` writes it
        binary.seek(0)
        return pa.ipc.open_stream(binary)
