"""Examples and the rows of tokens made of them: written to the cache, read back by number.

An example is what is kept of a row of the data: plain data that JSON can carry. It gives one row of tokens, or several
(windows of a long text, endings to choose from): dictionaries of sequences of numbers, such as `input_ids`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.cache import TokenStore, TokenWriter, mapped
from ...text.findings import Findings, Notes

TokenRow = Mapping[str, Sequence[int] | Sequence[float] | np.ndarray]
"""One row of tokens: `input_ids`, and whatever else belongs to it."""

OWNERS = "owners.bin"
"""The example that each row belongs to, as it is written."""


class RowWriter:
    """Writes examples and their rows of tokens into a cache folder. Every row has the same keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._examples = TokenWriter(folder, np.dtype(np.uint8), "examples")
        self._writers: dict[str, TokenWriter] = {}
        self._owners = (folder / OWNERS).open("wb")
        self._count = 0

    def write(self, examples: list[dict[str, Any]], rows: list[list[TokenRow]]) -> None:
        """Append examples, and the rows of each."""
        self._examples.write([np.frombuffer(json.dumps(e, ensure_ascii=False).encode(), np.uint8) for e in examples])
        flat = [row for of_example in rows for row in of_example]
        owners = np.arange(self._count, self._count + len(rows), dtype=np.int64)
        self._owners.write(np.repeat(owners, [len(of_example) for of_example in rows]).tobytes())
        self._count += len(examples)
        for key in flat[0] if flat else ():
            values = [np.asarray(row[key]) for row in flat]
            if key not in self._writers:
                kind = np.float32 if any(v.dtype.kind == "f" and v.size for v in values) else np.int32
                self._writers[key] = TokenWriter(self.folder, np.dtype(kind), key)
            self._writers[key].write(values)

    def close(self, findings: Findings, **more: Any) -> None:
        """Finish the files."""
        for writer in (self._examples, *self._writers.values()):
            writer.close()
        self._owners.close()
        np.save(self.folder / "owners.npy", mapped(self.folder / OWNERS, np.dtype(np.int64)))
        (self.folder / OWNERS).unlink()
        meta = {"keys": list(self._writers), "notes": findings.save(self.folder), "labels": findings.labels, **more}
        (self.folder / "meta.json").write_text(json.dumps(meta))


class TokenRows:
    """What a `RowWriter` wrote.

    Args:
        folder: of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        self.stores = {key: TokenStore(folder, key) for key in self.meta["keys"]}
        self.notes = Notes(folder, self.meta["notes"])
        self.examples = Examples(TokenStore(folder, "examples"))
        self.owners = np.load(folder / "owners.npy", mmap_mode="r" if len(self.examples) else None)
        """(rows,), the example that each row belongs to."""

    @property
    def lengths(self) -> np.ndarray:
        """(rows,), the tokens of each."""
        return self.stores["input_ids"].lengths

    @property
    def mapped_lengths(self) -> MappedLengths:
        """The same, of which a stretch at a time is held in memory."""
        return MappedLengths(self.stores["input_ids"].ends)

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {key: store[index] for key, store in self.stores.items()}

    def of(self, examples: np.ndarray) -> np.ndarray:
        """Return the numbers of the rows that belong to some examples, example by example."""
        first, last = (np.searchsorted(self.owners, examples, side=side) for side in ("left", "right"))
        return _ranges(first, last)

    def all(self, key: str) -> np.ndarray:
        """Return the values under one key of all rows, one after the other."""
        return self.stores[key].ids


class MappedLengths:
    """Lengths of sequences, computed where they are asked for.

    Args:
        ends: where each sequence ends.
    """

    def __init__(self, ends: np.ndarray) -> None:
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, stretch: slice) -> np.ndarray:
        """Return the lengths of some that follow each other."""
        first, last, _ = stretch.indices(len(self.ends))
        before = int(self.ends[first - 1]) if first else 0
        lengths: np.ndarray = np.diff(self.ends[first:last], prepend=before)
        return lengths


class Examples:
    """Examples by number."""

    def __init__(self, store: TokenStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example: dict[str, Any] = json.loads(self.store[index].tobytes())
        return example


class RowsInMemory:
    """The same, for what is to be predicted.

    Args:
        examples: one for each input row.
        rows: the rows of tokens of each.
    """

    def __init__(self, examples: list[dict[str, Any]], rows: list[list[TokenRow]]) -> None:
        self.examples = examples
        self.rows = [{k: np.asarray(v) for k, v in row.items()} for of_example in rows for row in of_example]
        self.owners = np.repeat(np.arange(len(rows)), [len(of_example) for of_example in rows])
        self.lengths = self.mapped_lengths = np.array([len(row["input_ids"]) for row in self.rows], np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return self.rows[index]


def _ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return first[0] ... last[0] - 1, first[1] ... last[1] - 1, and so on."""
    sizes = last - first
    before = np.cumsum(sizes) - sizes
    found: np.ndarray = np.arange(sizes.sum()) + np.repeat(first - before, sizes)
    return found
