"""Which rows are predicted together: stretch by stretch of the input, so that what is done is always a beginning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .batch_plan import BatchPlan
from .cuts import cuts_by_length
from .token_rows import MappedLengths

BATCHES_TOGETHER = 16
"""Of a stretch, within which rows are sorted by length: little padding, and few predictions wait for their turn."""


@dataclass(frozen=True)
class PredictStep:
    """A batch of one process.

    Args:
        rows: numbers of its rows of tokens.
        real: how many of them are its own; where there are fewer rows than processes, one is repeated.
        name: tells it from every other batch, wherever the prediction began: the stretch's first input, and its number.
        closes: the number of inputs that are done with it, in all processes; None in the middle of a stretch.
    """

    rows: list[int]
    real: int
    name: tuple[int, int]
    closes: int | None


class PredictPlan(BatchPlan):
    """Batches over stretches of whole inputs, in the input's order; within one, the longest rows come first.

    Where a prediction that was stopped between two stretches goes on, its batches are those of the uninterrupted one.
    Every process has the same number of batches.

    Args:
        owners: (rows,), the input that each row of tokens belongs to, ascending.
        batch_size: rows in a batch of one process.
        lengths: (rows,), to sort by; None keeps the order.
        tokens: instead of `batch_size`, as many rows as fit into so many tokens of one process, padding counted.
        rank: this process.
        world_size: number of processes.
        first: the first input to predict.
    """

    def __init__(
        self,
        owners: np.ndarray,
        batch_size: int,
        lengths: np.ndarray | MappedLengths | None = None,
        tokens: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        first: int = 0,
    ) -> None:
        super().__init__(len(owners), batch_size, shuffle=False, rank=rank, world_size=world_size)
        self.owners, self.first, self.inputs = owners, first, int(owners[-1]) + 1 if len(owners) else 0
        self.batch_size, self.world_size = batch_size, world_size
        self.row_lengths, self.tokens = lengths, tokens

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return sum(len(self._divided(first, last)[0]) for _, _, first, last in self._stretches())

    def __iter__(self) -> Iterator[list[int]]:
        return (step.rows for step in self.steps())

    def steps(self) -> Iterator[PredictStep]:
        """Return the batches of this process."""
        for begin, end, first, last in self._stretches():
            ends, order = self._divided(first, last)
            place = 0
            for number, stop in enumerate(ends):
                shared = order[place:stop]
                of_process = shared[self.rank :: self.world_size]
                rows = (of_process if len(of_process) else shared[-1:]).tolist()
                yield PredictStep(rows, len(of_process), (begin, number), end if number == len(ends) - 1 else None)
                place = stop

    def _stretches(self) -> Iterator[tuple[int, int, int, int]]:
        """Return the first input of each and the one after its last; the same of its rows."""
        together = BATCHES_TOGETHER * self.batch_size * self.world_size
        for begin in range(self.first, self.inputs, together):
            end = min(begin + together, self.inputs)
            first, last = (int(place) for place in np.searchsorted(self.owners, [begin, end]))
            if last > first:
                yield begin, end, first, last

    def _divided(self, first: int, last: int) -> tuple[list[int], np.ndarray]:
        """Return where the batches of all processes end in the order of a stretch; and that order."""
        order = np.arange(first, last)
        cuts = np.arange(0, len(order), self.batch_size * self.world_size)
        if self.row_lengths is not None:
            lengths = self.row_lengths[first:last]
            order = order[np.argsort(-lengths, kind="stable")]
            if self.tokens is not None:
                cuts = cuts_by_length(lengths, self.tokens, self.world_size)[:-1]
        ends = [*cuts[1:].tolist(), len(order)]
        if len(ends) > 1 and ends[-1] - ends[-2] < self.world_size:  # too few for each process: to the batch before
            del ends[-2]
        return ends, order
