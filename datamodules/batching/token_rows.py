"""Examples and the rows of tokens made of them: written to the cache, read back by number, handed out as batches.

An example is what is kept of a row of the data: plain data that JSON can carry. It gives one row of tokens, or several
(windows of a long text, endings to choose from): dictionaries of sequences of numbers, such as `input_ids`.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...contracts import IGNORED
from ...errors import InputError
from ...storage.cache import TokenStore, TokenWriter
from ...text.encoding import BATCH_CHARACTERS
from ...text.findings import Findings, Notes
from ...text.tokenizer import joins_bare
from ..tables.multi_hot import MultiHot

ROWS_AT_ONCE = 2_000
LONGEST_ROW = 5_000_000
"""Characters."""

Tokens = Mapping[str, Sequence[int] | Sequence[float] | np.ndarray]
"""One row of tokens: `input_ids`, and whatever else belongs to it."""
Collate = Callable[[list[dict[str, np.ndarray]]], dict[str, Tensor]]


def characters(value: Any) -> int:
    """How many there are in all texts of plain data."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(characters, value.values()))
    return sum(map(characters, value)) if isinstance(value, list | tuple) else 0


def fitting(where: str, example: dict[str, Any]) -> dict[str, Any]:
    """An example with the place where it stands.

    Raises:
        InputError: if it is too long.
    """
    if (size := characters(example)) > LONGEST_ROW:
        raise InputError(
            f"{where}: a row of {size:,} characters, where {LONGEST_ROW:,} is the most that fits into memory as "
            "tokens: divide its text."
        )
    return {**example, "where": where}


def row_batch(examples: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next examples, so many that they are worth a call and fit into memory as tokens; none at the end."""
    batch: list[dict[str, Any]] = []
    size = 0
    for example in islice(examples, ROWS_AT_ONCE):
        batch.append(example)
        size += characters(example)
        if size >= BATCH_CHARACTERS:
            break
    return batch


class RowWriter:
    """Writes examples and their rows of tokens into a cache folder. Every row has the same keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._examples = TokenWriter(folder, np.dtype(np.uint8), "examples")
        self._writers: dict[str, TokenWriter] = {}
        self._owners = array("q")
        self._count = 0

    def write(self, examples: list[dict[str, Any]], rows: list[list[Tokens]]) -> None:
        """Appends examples, and the rows of each."""
        self._examples.write([np.frombuffer(json.dumps(e, ensure_ascii=False).encode(), np.uint8) for e in examples])
        flat = [row for of_example in rows for row in of_example]
        self._owners.extend(self._count + i for i, of_example in enumerate(rows) for _ in of_example)
        self._count += len(examples)
        for key in flat[0] if flat else ():
            values = [np.asarray(row[key]) for row in flat]
            if key not in self._writers:
                kind = np.float32 if any(v.dtype.kind == "f" and v.size for v in values) else np.int32
                self._writers[key] = TokenWriter(self.folder, np.dtype(kind), key)
            self._writers[key].write(values)

    def close(self, findings: Findings, **more: Any) -> None:
        """Finishes the files."""
        for writer in (self._examples, *self._writers.values()):
            writer.close()
        np.save(self.folder / "owners.npy", np.array(self._owners, np.int64))
        meta = {"keys": list(self._writers), "notes": findings.save(self.folder), "labels": findings.labels, **more}
        (self.folder / "meta.json").write_text(json.dumps(meta))


class Rows:
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
        self.owners = np.load(folder / "owners.npy")
        """(rows,), the example that each row belongs to."""

    @property
    def lengths(self) -> np.ndarray:
        """(rows,), the tokens of each."""
        return self.stores["input_ids"].lengths

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {key: store[index] for key, store in self.stores.items()}

    def of(self, examples: np.ndarray) -> np.ndarray:
        """The numbers of the rows that belong to some examples, example by example."""
        first, last = (np.searchsorted(self.owners, examples, side=side) for side in ("left", "right"))
        return _ranges(first, last)

    def all(self, key: str) -> np.ndarray:
        """The values under one key of all rows, one after the other."""
        return self.stores[key].ids


class Examples:
    """Examples by number."""

    def __init__(self, store: TokenStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store[index].tobytes())
        return found


class RowsInMemory:
    """The same, for what is to be predicted.

    Args:
        examples: one for each input row.
        rows: the rows of tokens of each.
    """

    def __init__(self, examples: list[dict[str, Any]], rows: list[list[Tokens]]) -> None:
        self.examples = examples
        self.rows = [{k: np.asarray(v) for k, v in row.items()} for of_example in rows for row in of_example]
        self.owners = np.repeat(np.arange(len(rows)), [len(of_example) for of_example in rows])
        self.lengths = np.array([len(row["input_ids"]) for row in self.rows], np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return self.rows[index]


class Padding:
    """Lays rows of tokens side by side, each key padded to its longest; adds `attention_mask`.

    Args:
        tokenizer: knows the padding token, and whether there are token types.
        left: pad on the left, for a decoder that goes on writing; training pads on the right, where it changes nothing.
        values: what other keys are padded with; 0 where nothing is said, `IGNORED` for `labels`.
    """

    def __init__(self, tokenizer: Any, left: bool = False, values: dict[str, int] | None = None) -> None:
        self.left = left
        self.values = {"input_ids": tokenizer.pad_token_id or 0, "labels": IGNORED, **(values or {})}
        self.leave_out = set() if "token_type_ids" in tokenizer.model_input_names else {"token_type_ids"}

    def __call__(self, rows: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """(rows, longest) of each key, int64."""
        mask = self._pad([np.ones(len(row["input_ids"]), np.int64) for row in rows], 0)
        batch = {
            key: self._pad([row[key] for row in rows], self.values.get(key, 0))
            for key in rows[0]
            if key not in self.leave_out
        }
        return {"input_ids": batch.pop("input_ids"), "attention_mask": mask, **batch}

    def _pad(self, sequences: list[np.ndarray], value: int) -> Tensor:
        width = max(len(ids) for ids in sequences)
        out = np.full((len(sequences), width), value, np.int64)
        for row, ids in enumerate(sequences):
            out[row, slice(width - len(ids), width) if self.left else slice(0, len(ids))] = ids
        return torch.from_numpy(out)


class Batches:
    """Rows of tokens as batches.

    Args:
        rows: where they lie.
        picked: (n,), which of them.
        collate: makes a batch of some.
        columns: (n,) or (n, width) for each name: what else a batch says of its rows, such as `labels`.
        lengths: (n,), by which the loader groups; None leaves the order.
    """

    def __init__(
        self,
        rows: Rows | RowsInMemory,
        picked: np.ndarray,
        collate: Collate,
        columns: Mapping[str, np.ndarray | MultiHot] | None = None,
        lengths: np.ndarray | None = None,
    ) -> None:
        self.rows, self.picked, self.collate = rows, picked, collate
        self.columns: dict[str, np.ndarray | MultiHot] = dict(columns or {})
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.picked)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        batch = self.collate([self.rows[i] for i in self.picked[indices].tolist()])
        return {**batch, **{name: torch.from_numpy(values[indices]) for name, values in self.columns.items()}}


def encode_texts(
    tokenizer: Any,
    texts: list[tuple[str, str | None]],
    max_length: int,
    findings: Findings,
    owners: Sequence[int] | None = None,
) -> list[dict[str, list[int]]]:
    """Token ids and types of texts or pairs with special tokens; notes the examples that had to be truncated.

    Where the tokenizer puts nothing between two texts (GPT-2, Llama), a line feed does.

    Args:
        tokenizer: any.
        texts: one or two in each entry.
        max_length: tokens.
        findings: takes notes.
        owners: the example that each entry belongs to; null where each is one.
    """
    first = [a for a, _ in texts]
    second = [b or "" for _, b in texts] if any(b is not None for _, b in texts) else None
    if second and joins_bare(tokenizer):
        second = ["\n" + text for text in second]
    whole = tokenizer(first, second, return_token_type_ids=True, return_attention_mask=False, verbose=False)
    ids, types = whole["input_ids"], whole["token_type_ids"]
    long = [i for i, row in enumerate(ids) if len(row) > max_length]
    if long:
        for example in sorted(set(long if owners is None else (owners[i] for i in long))):
            findings.note("truncated", example)
        cut = tokenizer(
            [first[i] for i in long],
            [second[i] for i in long] if second else None,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=True,
        )
        for position, i in enumerate(long):
            ids[i], types[i] = cut["input_ids"][position], cut["token_type_ids"][position]
    return [{"input_ids": a, "token_type_ids": b} for a, b in zip(ids, types, strict=True)]


def _ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """first[0] ... last[0] - 1, first[1] ... last[1] - 1, and so on."""
    sizes = last - first
    before = np.cumsum(sizes) - sizes
    found: np.ndarray = np.arange(sizes.sum()) + np.repeat(first - before, sizes)
    return found
