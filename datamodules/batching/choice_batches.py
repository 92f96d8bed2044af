"""Examples of several rows each, as batches of (rows, choices, length)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .batches import Collate
from .token_rows import RowsInMemory, TokenRows
from .whole_batches import WholeBatches


class ChoiceBatches(WholeBatches):
    """Examples as batches of (rows, choices, length).

    Args:
        rows: the rows of tokens of all endings.
        examples: (n,), which examples.
        padding: lays rows side by side.
        columns: (n,) for each name: what else a batch says of its examples.
        grouped: whether `lengths` should guide the loader.
    """

    def __init__(
        self,
        rows: TokenRows | RowsInMemory,
        examples: np.ndarray,
        padding: Collate,
        columns: dict[str, np.ndarray],
        grouped: bool,
    ) -> None:
        self.rows, self.padding, self.columns = rows, padding, columns
        every = np.arange(len(rows.examples))
        self.first = np.searchsorted(rows.owners, every)[examples]
        self.counts = np.bincount(rows.owners, minlength=len(every))[examples]
        # An example is as long as its longest ending, as often as it has endings.
        longest = np.maximum.reduceat(rows.lengths, np.searchsorted(rows.owners, every))[examples]
        self.lengths = longest * self.counts if grouped else None

    def __len__(self) -> int:
        return len(self.first)

    def rows_of(self, indices: Sequence[int]) -> np.ndarray:
        """Return the number of the first row of tokens of each example of a batch."""
        numbers: np.ndarray = self.first[np.asarray(indices)]
        return numbers

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        counts = self.counts[indices]
        flat = [
            self.rows[i] for first, n in zip(self.first[indices], counts, strict=True) for i in range(first, first + n)
        ]
        batch = self.padding(flat)
        choices = int(counts.max())
        is_choice = torch.from_numpy(np.arange(choices) < counts[:, None])
        for key, value in batch.items():
            # An ending that is not there is a copy of an existing one, so that no row is empty; the mask leaves it out.
            whole = value[:1].repeat(is_choice.numel(), 1)
            whole[is_choice.flatten()] = value
            batch[key] = whole.view(*is_choice.shape, -1)
        if (counts != choices).any():
            batch["choice_mask"] = is_choice.long()
        return {**batch, **{name: torch.from_numpy(values[indices]) for name, values in self.columns.items()}}
