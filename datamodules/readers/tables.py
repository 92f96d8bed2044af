"""Rows out of csv, tsv, jsonl, json, parquet and arrow files, each with the place it stands at."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from ...errors import InputError
from .files import open_binary, open_text, suffix

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather")

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # texts are longer than the module expects


def read_rows(path: str, encoding: str = "utf-8") -> Iterator[tuple[str, dict[str, Any]]]:
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
    kind = suffix(path)
    if kind not in TABLES:
        raise InputError(f"{path}: no table format ends in {kind or 'nothing'!r}; these do: {', '.join(TABLES)}.")
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json}
    rows = _arrow(path, kind) if kind not in readers else readers[kind](path, encoding)
    empty = True
    for where, row in rows:
        empty = False
        yield where, row
    if empty:
        raise InputError(f"{path} has no rows.")


def require_columns(where: str, row: dict[str, Any], columns: Sequence[str]) -> None:
    """Raises an `InputError` that lists the columns there are, if one of `columns` is not among them."""
    for name in columns:
        if name not in row:
            close = get_close_matches(name, list(row), n=1)
            near = f" (did you mean {close[0]!r}?)" if close else ""
            raise InputError(f"{where}: there is no column {name!r}{near}; there are: {', '.join(row)}.")


def _csv(path: str, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    literal = suffix(path) == ".tsv"
    with open_text(path, encoding, newline="") as text:
        if literal:
            reader = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(text, strict=True)
        start = 1
        header: list[str] | None = None
        try:
            for fields in reader:
                where, start = f"{path}:{start}", reader.line_num + 1
                if not fields:
                    continue
                if header is None:
                    header = _header(where, fields)
                    continue
                if len(fields) != len(header):
                    hint = "a tab inside a text?" if literal else "an unquoted comma or quote?"
                    raise InputError(f"{where}: {len(fields)} fields, but the header has {len(header)} ({hint}).")
                yield where, dict(zip(header, fields, strict=True))
        except csv.Error as error:
            raise InputError(f"{path}:{start}: {error} (a quote that is opened here and never closed?).") from error
        if header is None:
            raise InputError(f"{path} is empty.")


def _header(where: str, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    for name in names:
        if not name:
            raise InputError(f"{where}: a column has no name; the first line must name every column.")
        if names.count(name) > 1:
            raise InputError(f"{where}: two columns are named {name!r}.")
    return names


def _jsonl(path: str, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = True
    with open_text(path, encoding) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            empty = False
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON at column {error.colno}: {error.msg}.") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}:{number}: a {type(row).__name__} where an object {{...}} should be.")
            yield f"{path}:{number}", row
    if empty:
        raise InputError(f"{path} is empty.")


def _json(path: str, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with open_text(path, encoding) as text:
        content = text.read()
    if not content.strip():
        raise InputError(f"{path} is empty.")
    try:
        rows = json.loads(content)
    except json.JSONDecodeError as error:
        hint = "; if every line is an object of its own, name the file .jsonl" if error.msg == "Extra data" else ""
        raise InputError(f"{path}:{error.lineno}: not JSON at column {error.colno}: {error.msg}{hint}.") from error
    if isinstance(rows, dict) and isinstance(rows.get("data"), list):
        rows = rows["data"]
    if not isinstance(rows, list):
        raise InputError(f"{path}: a list of objects, or an object with one under 'data', should be here.")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"{path} row {number}: a {type(row).__name__} where an object {{...}} should be.")
        yield f"{path} row {number}", row


def _arrow(path: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with open_binary(path) as binary:
            for batch in pq.ParquetFile(binary).iter_batches(1024) if kind == ".parquet" else _arrow_batches(binary):
                for row in batch.to_pylist():
                    yield f"{path} row {number}", row
                    number += 1
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a {kind[1:]} file: {str(error).splitlines()[0]}") from error


def _arrow_batches(binary: Any) -> Iterator[Any]:
    import pyarrow as pa

    try:
        reader = pa.ipc.open_file(binary)
    except pa.ArrowInvalid:  # the streaming format, as `datasets` writes it
        binary.seek(0)
        yield from pa.ipc.open_stream(binary)
        return
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)
