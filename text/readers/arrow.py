"""Rows of parquet files, and of arrow files and streams; checked before they are read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import InputError, first_line
from .compression import is_compressed, refuse_broken
from .opening import open_binary
from .parts import FilePart
from .rows import Row

BYTES_AT_ONCE = 1 << 25
"""Of arrow data made into Python's objects, or as much as one row has."""


def read_arrow(path: str, kind: str) -> Iterator[Row]:
    """Yield rows in the file's order.

    Args:
        path: of the file.
        kind: `.parquet`, or another ending for arrow's own formats.

    Yields:
        The place (`reviews.parquet row 12`, from 0) and the row.

    Raises:
        InputError: if the file is damaged.
    """
    with _open(path, kind) as file:
        number = _rows_before(file, path.start) if isinstance(path, FilePart) else 0
        for batch in _grouped(file, kind, path):
            # Wrong offsets would be followed to anywhere in memory, and end the process.
            batch.validate(full=True)
            size = max(1, BYTES_AT_ONCE * batch.num_rows // max(1, batch.nbytes))
            for begin in range(0, batch.num_rows, min(size, 1024)):
                for row in batch.slice(begin, min(size, 1024)).to_pylist():
                    yield f"{path} row {number}", row
                    number += 1


def arrow_columns(path: str, kind: str) -> list[str]:
    """Return the names of the columns, by the schema.

    Raises:
        InputError: if the file is damaged.
    """
    with _open(path, kind) as file:
        return list((file.schema_arrow if kind == ".parquet" else file.schema).names)


def group_sizes(path: str, kind: str) -> list[int]:
    """Return how many bytes the rows of each row group (of each batch, in arrow's own format) take, about.

    Returns:
        Nothing, where the format is a stream, which is read from its beginning.

    Raises:
        InputError: if the file is damaged.
    """
    with _open(path, kind) as file:
        if kind == ".parquet":
            return [file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups)]
        if not hasattr(file, "get_batch"):
            return []
        return [file.get_batch(number).nbytes for number in range(file.num_record_batches)]


def _grouped(file: Any, kind: str, path: str) -> Iterator[Any]:
    read = _parquet if kind == ".parquet" else _batches
    return read(file, range(path.start, path.stop)) if isinstance(path, FilePart) else read(file)


def _rows_before(file: Any, group: int) -> int:
    if hasattr(file, "num_row_groups"):
        return sum(file.metadata.row_group(number).num_rows for number in range(group))
    return sum(file.get_batch(number).num_rows for number in range(group))


def _parquet(file: Any, groups: range | None = None) -> Iterator[Any]:
    """Yield batches of about so many bytes, as the file says; nothing is decoded that is not asked for."""
    for group in range(file.num_row_groups) if groups is None else groups:
        known = file.metadata.row_group(group)
        rows = max(1, min(1024, BYTES_AT_ONCE * known.num_rows // max(1, known.total_byte_size)))
        yield from file.iter_batches(rows, row_groups=[group])


def _batches(file: Any, groups: range | None = None) -> Iterator[Any]:
    if hasattr(file, "get_batch"):
        yield from map(file.get_batch, range(file.num_record_batches) if groups is None else groups)
    else:
        yield from file


@contextmanager
def _open(path: str, kind: str) -> Iterator[Any]:
    """Open a parquet file, or an arrow file or stream."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_binary(path) as binary:
            if not binary.peek(1):  # type: ignore[attr-defined]  # every stream of open_binary is buffered
                raise InputError(f"{path} is empty.")
            yield pq.ParquetFile(binary) if kind == ".parquet" else _open_arrow(binary)
    except InputError:
        raise
    except io.UnsupportedOperation as error:
        raise InputError(f"{path}: decompress it first; a {kind} file is read from its end.") from error
    except (pa.ArrowException, OSError, EOFError, ValueError, OverflowError, MemoryError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kind_of_file = (
            "a whole compressed" if is_compressed(path) else "a parquet" if kind == ".parquet" else "an arrow"
        )
        raise InputError(f"{path} is not {kind_of_file} file: {first_line(error).rstrip('.')}.") from error
    except Exception as error:
        refuse_broken(path, error)
        raise


def _open_arrow(binary: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_file(binary)
    except pa.ArrowInvalid:  # the streaming format, as `datasets` writes it
        binary.seek(0)
        return pa.ipc.open_stream(binary)
