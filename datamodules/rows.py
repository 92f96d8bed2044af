"""Rows of tokens: written to the cache, and handed out as padded batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .cache import TokenStore, TokenWriter


class RowWriter:
    """Tokenises rows into a cache folder."""

    def __init__(self, folder: Path, tokenizer: Any, max_length: int) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        self.ids = TokenWriter(folder, len(tokenizer))
        self.types = TokenWriter(folder, 2, "types")
        self.truncated = self.rows = 0

    def write(self, texts: list[tuple[str, str | None]]) -> None:
        """Appends rows."""
        encoded, truncated = encode_rows(self.tokenizer, texts, self.max_length)
        self.ids.write([ids for ids, _ in encoded])
        self.types.write([types for _, types in encoded])
        self.truncated += truncated
        self.rows += len(texts)

    def close(self) -> dict[str, Any]:
        """Finishes the files; says how many rows there were."""
        self.ids.close()
        self.types.close()
        return {"rows": self.rows, "truncated": self.truncated}


class LabelledRows:
    """What `_tokenise` wrote."""

    def __init__(self, folder: Path) -> None:
        self.store, self.types = TokenStore(folder), TokenStore(folder, "types")
        self.raw = np.load(folder / "labels.npy")
        self.meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())

    def indices_of(self, labels: list[str], rename: Callable[[str], str], split: str) -> np.ndarray:
        """Each row's index into `labels`.

        Raises:
            InputError: for a label outside the list, with the place where it stands first.
        """
        table = np.zeros(len(self.meta["labels"]), np.int64)
        for position, raw in enumerate(self.meta["labels"]):
            name = rename(raw)
            if name not in labels:
                known = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
                raise InputError(
                    f"{self.meta['first'][raw]}: the label {name!r} is not among the known ones ({known})"
                    + ("; training never had it." if split == "validation" else "; data.label_names can map it.")
                )
            table[position] = labels.index(name)
        indices: np.ndarray = table[self.raw]
        return indices


class Batches:
    """Rows as padded batches.

    Args:
        store: token ids, row by row.
        types: token types, row by row.
        rows: (n,), which rows of the store.
        labels: (n,), or None.
        tokenizer: knows the padding.
        group_by_length: whether `lengths` should guide the loader.
    """

    def __init__(
        self,
        store: Any,
        types: Any,
        rows: np.ndarray,
        labels: np.ndarray | None,
        tokenizer: Any,
        group_by_length: bool = True,
    ) -> None:
        self.store, self.types, self.rows, self.labels = store, types, rows, labels
        self.pad_id, self.left = tokenizer.pad_token_id or 0, tokenizer.padding_side == "left"
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        self.lengths = store.lengths[rows] if group_by_length and labels is not None else None

    @classmethod
    def in_memory(cls, encoded: list[tuple[list[int], list[int]]], tokenizer: Any) -> Batches:
        """Rows to predict."""
        ids, types = [row for row, _ in encoded], [row for _, row in encoded]
        return cls(ids, types, np.arange(len(ids)), None, tokenizer)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        picked = self.rows[indices]
        sequences = [np.asarray(self.store[i], np.int64) for i in picked]
        batch = {
            "input_ids": self._pad(sequences, self.pad_id),
            "attention_mask": self._pad([np.ones_like(ids) for ids in sequences], 0),
        }
        if self.with_types:
            batch["token_type_ids"] = self._pad([np.asarray(self.types[i], np.int64) for i in picked], 0)
        if self.labels is not None:
            batch["labels"] = torch.from_numpy(self.labels[indices])
        else:
            batch["index"] = torch.tensor(indices)
        return batch

    def _pad(self, sequences: list[np.ndarray], value: int) -> Tensor:
        width = max(len(ids) for ids in sequences)
        out = np.full((len(sequences), width), value, np.int64)
        for row, ids in enumerate(sequences):
            out[row, slice(width - len(ids), width) if self.left else slice(0, len(ids))] = ids
        return torch.from_numpy(out)


def encode_rows(
    tokenizer: Any, texts: list[tuple[str, str | None]], max_length: int
) -> tuple[list[tuple[list[int], list[int]]], int]:
    """Token ids and types of texts or pairs with special tokens, and how many of them were truncated."""
    first = [a for a, _ in texts]
    second = [b or "" for _, b in texts] if any(b is not None for _, b in texts) else None
    whole = tokenizer(first, second, return_token_type_ids=True, return_attention_mask=False, verbose=False)
    ids, types = whole["input_ids"], whole["token_type_ids"]
    long = [i for i, row in enumerate(ids) if len(row) > max_length]
    if long:
        cut = tokenizer(
            [first[i] for i in long],
            [second[i] for i in long] if second else None,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=True,
        )
        for position, i in enumerate(long):
            ids[i], types[i] = cut["input_ids"][position], cut["token_type_ids"][position]
    return list(zip(ids, types, strict=True)), len(long)
