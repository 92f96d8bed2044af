"""An order of examples in shards that needs few shards at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..batching.permutation import Permutation

WINDOWS = 0x77696E
"""Tells the order of shards from those within windows, which the same seed makes."""


class WindowOrder:
    """Shards in random order, so many at a time, and the examples of those together in random order.

    Memory is that of a number for each shard, whatever they hold.

    Args:
        sizes: examples of each shard; their numbers follow each other.
        window: shards whose examples are mixed.
        seed: whole numbers.
        reached: is told, when the order is read, which shards the window there has, and which the next ones have.
    """

    def __init__(
        self,
        sizes: Sequence[int] | np.ndarray,
        window: int,
        seed: Sequence[int],
        reached: Callable[[list[int], list[int]], None] | None = None,
    ) -> None:
        self._sizes = np.asarray(sizes, np.int64)
        self._begins = np.cumsum(self._sizes) - self._sizes
        self._shards = np.random.default_rng([*seed, WINDOWS]).permutation(len(self._sizes))
        self._window, self._seed, self._reached = window, list(seed), reached
        ends = np.cumsum(self._sizes[self._shards])
        last = np.minimum(np.arange(window, len(ends) + window, window), len(ends)) - 1
        self._ends = ends[last]
        """Where each window ends."""
        self._told = -1

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return a part of the order: int64."""
        return self.at(np.arange(*part.indices(len(self)), dtype=np.int64))

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return what stands at some places of the order: int64.

        Args:
            places: (n,), from 0 to size - 1.
        """
        windows = np.searchsorted(self._ends, places, side="right")
        numbers = np.empty(len(places), np.int64)
        for window in np.unique(windows).tolist():
            begin = int(self._ends[window - 1]) if window else 0
            size = int(self._ends[window]) - begin
            shards = self.shards(window)
            mixed = Permutation(size, [*self._seed, window]).at(places[windows == window] - begin)
            ends = np.cumsum(self._sizes[shards])
            which = np.searchsorted(ends, mixed, side="right")
            within = mixed - (ends[which] - self._sizes[shards][which])
            numbers[windows == window] = self._begins[shards][which] + within
        if len(windows):
            self._tell(int(windows.min()))  # what is read now may still lie there
        return numbers

    def shards(self, window: int) -> np.ndarray:
        """Return the shards of a window; none after the last one."""
        return self._shards[window * self._window : (window + 1) * self._window]

    def _tell(self, window: int) -> None:
        if self._reached is not None and window != self._told:
            self._told = window
            self._reached(self.shards(window).tolist(), self.shards(window + 1).tolist())
