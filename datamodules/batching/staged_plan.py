"""Batches of a training in stages: one pass over a plan of blocks, in which sizes and shares change at known places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from torch import Tensor

from .batch_plan import BatchPlan
from .cuts import StagedCuts
from .interleaving import Interleaved
from .loader import BatchedDataset
from .permutation import Order


@dataclass(frozen=True)
class PlannedStage:
    """A stage in blocks.

    Args:
        end: blocks of all stages until its end.
        batch_size: blocks of a batch of one process.
        pieces: rows that a block is cut into.
        rate: factor on the learning rate.
        weights: of the corpora.
    """

    end: int
    batch_size: int
    pieces: int
    rate: float
    weights: tuple[float, ...]


class StagedOrder:
    """The blocks of all stages in their order: no block of a corpus twice before each came once, whatever the stages.

    Args:
        parts: the corpora; their blocks are numbered through.
        stages: in their order.
        seed: of the order.
    """

    def __init__(self, parts: Sequence[Any], stages: Sequence[PlannedStage], seed: int) -> None:
        before = [0] * len(parts)
        self._ends = [0, *(stage.end for stage in stages)]
        self._orders = []
        for number, (stage, (begin, end)) in enumerate(zip(stages, pairwise(self._ends), strict=True)):
            order = Interleaved(parts, stage.weights, seed, size=end - begin, before=before, stage=number)
            self._orders.append(order)
            before = [done + more for done, more in zip(before, order.counts(), strict=True)]
        self.drawn = before
        """Blocks of each corpus in all stages."""

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return a part of the order: int64."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            return self[start:stop][::step]
        found = [
            order[max(0, start - begin) : max(0, min(stop, end) - begin)]
            for order, (begin, end) in zip(self._orders, pairwise(self._ends), strict=True)
            if begin < stop and start < end
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)


class StagedPlan(BatchPlan):
    """A plan whose batches say how many rows each of their blocks is cut into.

    Args:
        parts: the corpora.
        stages: in their order.
        seed: of the order.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(
        self, parts: Sequence[Any], stages: Sequence[PlannedStage], seed: int, rank: int, world_size: int
    ) -> None:
        self.stages = list(stages)
        cut = tuple((stage.end, stage.batch_size) for stage in stages)
        super().__init__(
            stages[-1].end, stages[-1].batch_size, shuffle=True, seed=seed, rank=rank, world_size=world_size,
            order=self._staged, stages=cut,
        )  # fmt: skip
        self._parts = parts
        self._at_hand: tuple[int, Order] | None = None

    def _staged(self, seed: int, epoch: int, made: int) -> Order:
        if self._at_hand is None or self._at_hand[0] != seed:
            self._at_hand = seed, StagedOrder(self._parts, self.stages, seed)
        return self._at_hand[1]

    def stage_of(self, batch: int) -> PlannedStage:
        """Return the stage that a batch of the whole plan belongs to; of what comes after it, the last one."""
        cuts = self.cuts()
        assert isinstance(cuts, StagedCuts)
        return self.stages[cuts.stage(min(batch, len(cuts) - 2))]

    def __iter__(self) -> Iterator[Any]:
        layout = self.layout()
        assert isinstance(layout.cuts, StagedCuts)
        for batch, indices in zip(layout.batches[self.start :], super().__iter__(), strict=True):
            yield self.stages[layout.cuts.stage(int(batch))].pieces, indices


class StagedExamples:
    """Blocks in batches, each cut into rows.

    Args:
        dataset: of the blocks.
    """

    def __init__(self, dataset: BatchedDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, asked: Any) -> dict[str, Tensor]:
        pieces, indices = asked
        batch = self.dataset[indices]
        if pieces == 1:
            return batch
        rows, length = batch["input_ids"].shape
        cut = {
            name: value.reshape(rows * pieces, length // pieces)
            for name, value in batch.items()
            if value.shape == (rows, length)
        }
        has_tokens = cut["attention_mask"].any(-1)  # a row of the last block of a corpus may hold nothing
        return {name: value[has_tokens] for name, value in cut.items()}
