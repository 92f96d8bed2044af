"""What is to be predicted, on disk: tokenized in pieces, mapped into memory, removed when it is predicted."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np

from ...storage.cache import TokenStore, TokenWriter, cached
from ...text.findings import Findings, Totals
from .portions import encode_portion, with_place
from .token_rows import RowWriter, TokenRow, TokenRows

FOLDER = "predict"
"""In the cache."""
ROWS_AT_ONCE, BYTES_AT_ONCE = 2_000, 4_000_000
FORGET_EVERY = 50_000
"""Inputs, after which the pages that they were read from need not stay in memory."""
KEPT_FOR = 7 * 24 * 3600
"""Seconds after which what a killed prediction left in the cache is removed."""


class InputRows(Sequence[dict[str, Any]]):
    """The rows of the input by number, with all their columns.

    Args:
        folder: that `write_inputs` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.store = TokenStore(folder, "inputs")
        self.columns: list[str] = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
        """Of any row, in the order in which they came up."""

    def __len__(self) -> int:
        return len(self.store)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return json.loads(self.store[number].tobytes().decode("utf-8", "surrogatepass"))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def write_inputs(
    folder: Path,
    rows: Iterable[tuple[str, dict[str, Any]]],
    example: Callable[[str, dict[str, Any]], dict[str, Any]],
    encode: Callable[[list[dict[str, Any]], Findings], list[list[TokenRow]]],
    tokenizer: Any,
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Write input rows, their examples and their rows of tokens into a folder, a piece at a time.

    Args:
        folder: of the cache.
        rows: with the place where each stands.
        example: takes a place and a row to what is kept of it.
        encode: gives the rows of tokens of some examples.
        tokenizer: with which it does so.
        left_out: how much of what is no row was passed over, by what a report calls it; known when all rows are read.
    """
    writer, findings = RowWriter(folder), Totals()
    inputs = TokenWriter(folder, np.dtype(np.uint8), "inputs")
    columns: dict[str, None] = {}
    iterator = iter(rows)
    while piece := _piece(iterator):
        examples = [with_place(where, example(where, row)) for where, row, _ in piece]
        writer.write(examples, encode_portion(examples, encode, tokenizer, findings))
        inputs.write([np.frombuffer(text, np.uint8) for _, _, text in piece])
        for _, row, _ in piece:
            columns.update(dict.fromkeys(row))
    for what, times in (left_out or {}).items():
        findings.note(what, 0, times)
    inputs.close()
    (folder / "columns.json").write_text(json.dumps(list(columns)), encoding="utf-8")
    writer.close(findings)


def _piece(rows: Iterator[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any], bytes]]:
    """Return the next rows, as many as are worth a call and fit into memory, each also as JSON; none at the end."""
    piece, size = [], 0
    for where, row in islice(rows, ROWS_AT_ONCE):
        text = json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
        piece.append((where, row, text))
        size += len(text)
        if size >= BYTES_AT_ONCE:
            break
    return piece


class Inputs:
    """What is to be predicted, as it lies in the cache; mapped at once, so that it may be removed while it is read.

    Args:
        cache_dir: of the cache.
        key: of what is written.
        write: writes it into a folder, where the cache does not have it.
    """

    def __init__(self, cache_dir: str, key: Any, write: Callable[[Path], None]) -> None:
        _clear(Path(cache_dir, FOLDER))
        self.folder = cached(cache_dir, FOLDER, key, write)
        with suppress(OSError):
            os.utime(self.folder)  # in use
        self.inputs, self.rows = InputRows(self.folder), TokenRows(self.folder)
        for mapped in self._mapped():
            assert mapped is not None
        self._forgotten = 0

    def _mapped(self) -> list[np.ndarray]:
        stores = (self.inputs.store, self.rows.examples.store, *self.rows.stores.values())
        return [self.rows.owners, *(mapped for store in stores for mapped in (store.ids, store.ends))]

    def forget(self, done: int) -> None:
        """Give back the memory of what was read of the files so far, every so often; read again, it is there again.

        Args:
            done: inputs that will not be asked for any more.
        """
        if done - self._forgotten < FORGET_EVERY:
            return
        self._forgotten = done
        for mapped in self._mapped():
            file = getattr(mapped, "_mmap", None)  # none of an empty file
            if file is not None and hasattr(mmap, "MADV_DONTNEED"):
                file.madvise(mmap.MADV_DONTNEED)

    def remove(self) -> None:
        """Free the disk; what is mapped stays readable where the system permits it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what predictions left that nobody went on with."""
    for entry in folder.glob("*"):
        with suppress(OSError):
            if time.time() - entry.stat().st_mtime > KEPT_FOR:
                shutil.rmtree(entry, ignore_errors=True)
