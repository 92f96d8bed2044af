"""Where the batches of an epoch end, of all processes: computed where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class EvenCuts(Sequence[int]):
    """Where batches of one size end; begins with where the first one begins.

    Args:
        first: the first example.
        size: all examples, those before it counted, too.
        together: examples in a batch of all processes.
        least: a last batch of fewer joins the one before it.
    """

    def __init__(self, first: int, size: int, together: int, least: int = 0) -> None:
        self.first, self.size, self.together = first, size, together
        whole, rest = divmod(size - first, together)
        joins = whole > 0 and 0 < rest < least
        self.batches = whole + (rest > 0 and not joins)

    def __len__(self) -> int:
        return self.batches + 1

    def __getitem__(self, number: Any) -> Any:
        """Return where a batch ends; of the last one, where all end."""
        number = range(self.batches + 1)[number]
        return self.size if number and number == self.batches else self.first + number * self.together


class StagedCuts(Sequence[int]):
    """Where batches end whose size changes at known places.

    Args:
        first: the first example.
        stages: examples until the end of each, and together in its batches of all processes.
    """

    def __init__(self, first: int, stages: Sequence[tuple[int, int]]) -> None:
        begins = [max(first, begin) for begin in (0, *(end for end, _ in stages[:-1]))]
        self._parts = [EvenCuts(min(begin, end), end, size) for begin, (end, size) in zip(begins, stages, strict=True)]
        self._ends = np.cumsum([part.batches for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1]) + 1

    def stage(self, batch: int) -> int:
        """Return the number of the stage that a batch belongs to."""
        return int(np.searchsorted(self._ends, batch, side="right"))

    def __getitem__(self, number: Any) -> Any:
        """Return where a batch ends."""
        number = range(len(self))[number]
        stage = min(self.stage(number), len(self._parts) - 1)
        before = int(self._ends[stage - 1]) if stage else 0
        return self._parts[stage][number - before]


def cuts_by_length(lengths: np.ndarray, tokens: int, world_size: int) -> np.ndarray:
    """Return where batches of examples end that are sorted by length, longest first; begins with 0."""
    falling, cuts = np.sort(lengths)[::-1], [0]
    while cuts[-1] < len(falling):
        fit = max(1, tokens // max(1, int(falling[cuts[-1]])))
        cuts.append(min(len(falling), cuts[-1] + fit * world_size))
    return np.array(cuts)
