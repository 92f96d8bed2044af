"""Rows of tokens, and columns beside them, handed out as batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..tables.multi_hot import MultiHot
from .token_rows import MappedLengths, RowsInMemory, TokenRows
from .whole_batches import WholeBatches

Collate = Callable[[list[dict[str, np.ndarray]]], dict[str, Tensor]]


class Batches(WholeBatches):
    """Rows of tokens as batches.

    Args:
        rows: where they lie.
        picked: (n,), which of them; None is all.
        collate: makes a batch of some.
        columns: (n,) or (n, width) for each name: what else a batch says of its rows, such as `labels`.
        lengths: (n,), by which the loader groups; None leaves the order.
    """

    def __init__(
        self,
        rows: TokenRows | RowsInMemory,
        picked: np.ndarray | None,
        collate: Collate,
        columns: Mapping[str, np.ndarray | MultiHot] | None = None,
        lengths: np.ndarray | MappedLengths | None = None,
    ) -> None:
        self.rows, self.collate = rows, collate
        self._picked = picked
        self.columns: dict[str, np.ndarray | MultiHot] = dict(columns or {})
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.rows) if self._picked is None else len(self._picked)

    @property
    def picked(self) -> np.ndarray:
        """(n,), which of the rows these are."""
        return np.arange(len(self.rows)) if self._picked is None else self._picked

    def rows_of(self, indices: Sequence[int]) -> np.ndarray:
        """Return the numbers of the rows of tokens that a batch is made of, in its order."""
        numbers: np.ndarray = self.picked[np.asarray(indices)]
        return numbers

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        numbers = indices if self._picked is None else self._picked[indices].tolist()
        batch = self.collate([self.rows[i] for i in numbers])
        return {**batch, **{name: torch.from_numpy(values[indices]) for name, values in self.columns.items()}}
