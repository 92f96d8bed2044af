"""Which examples make up which batch: a function of seed and epoch alone, whatever was handed out before.

A position in an epoch is a few numbers, restored in the same time whether ten or ten million examples were seen before.
They say which examples were handed out, so that a run may go on in batches of another size, or on another number of
processes: none is repeated, none is left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DistributedSampler

from ...contracts.random_streams import BATCH_ORDER, LATER_BATCH_ORDER, LATER_GROUPS
from .cuts import EvenCuts, StagedCuts, cuts_by_length
from .permutation import Ascending, Order, Permutation

MANY = 1 << 20
"""Examples from which on an order is computed where it is read, and not held."""
HELD, COMPUTED, MIXED = 0, 1, 2
"""How orders are made: held, however long they are; those of many examples computed; those of mixtures, too."""


@dataclass(frozen=True)
class Stretch:
    """The beginning of an epoch that was handed out in other batches, before an interruption.

    Args:
        batches: how many.
        batch_size: examples in a batch of one process.
        world_size: number of processes.
        tokens: of a batch of one process, where that bounds it.
        seed: of the order.
        stages: where batches change their size: examples until then, and of a batch of one process before.
    """

    batches: int
    batch_size: int
    world_size: int
    tokens: int | None
    seed: int
    stages: tuple[tuple[int, int], ...] = ()

    @property
    def shared(self) -> tuple[Any, ...]:
        """What the batches of all processes together rest on: as many examples in one give the same, on any number."""
        if self.tokens is not None:
            return self.tokens, self.world_size, self.seed
        staged = [(end, size * self.world_size) for end, size in self.stages]
        return self.batch_size * self.world_size, self.seed, staged


class Layout(NamedTuple):
    """What is left of an epoch: batch `i` is `order[cuts[batches[i]]:cuts[batches[i] + 1]]`, of all processes."""

    order: Order
    cuts: Sequence[int] | np.ndarray
    batches: range | np.ndarray


class BatchPlan(DistributedSampler[Any]):
    """Which examples make up which batch of which epoch.

    A `DistributedSampler` by type, so that Lightning leaves the sharding to it.

    Args:
        size: number of examples.
        batch_size: examples in a batch of one process.
        shuffle: draw a new order each epoch.
        seed: of that order.
        lengths: (size,), to group examples of similar length; None keeps the plain order.
        tokens: instead of `batch_size`, as many examples as fit into so many tokens of one process, padding counted.
            Batches are then cut at the same places of the sorted lengths in every epoch, so that their number never
            changes; which of the examples of equal length is where, and the order of the batches, does.
        order: takes (seed, epoch, `HELD`, `COMPUTED` or `MIXED`) to the examples of a training epoch in their order;
            None takes each once.
        stages: as a `Stretch` has them.
        rank: this process.
        world_size: number of processes. In training every process gets the same number of batches: where the last
            examples do not suffice, one is repeated. In evaluation nothing is.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        lengths: np.ndarray | None = None,
        tokens: int | None = None,
        order: Callable[[int, int, int], Order] | None = None,
        stages: tuple[tuple[int, int], ...] = (),
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        # The parent's __init__ would ask for a process group; only its type is wanted.
        self.size, self.shuffle, self.lengths, self.order, self.rank = size, shuffle, lengths, order, rank
        self.own = Stretch(0, batch_size, world_size, tokens if lengths is not None else None, seed, stages)
        self.epoch = 0
        self.is_told = False
        """Whether somebody says which epoch it is: a trainer, Fabric, a loop of somebody's own."""
        self.start = 0
        """The first batch that the next iteration yields, of those in the layout."""
        self.before: tuple[int, list[Stretch]] = (0, [])
        """An epoch, and how its beginning was handed out in other batches."""
        self.made: tuple[int, int] = (0, MIXED)
        """An epoch, and how its order is made: what a checkpoint of an earlier version began goes on as it was."""

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins. Lightning and Fabric do; where nobody does, a loader counts its own."""
        self.epoch, self.is_told = epoch, True

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        nothing = not self.shuffle and self.size <= self.rank
        return 0 if nothing else len(self._ends) - 1

    def cuts(self) -> Sequence[int] | np.ndarray:
        """Return where the batches of a whole epoch end, of all processes; begins with 0."""
        return self._ends

    @cached_property
    def _ends(self) -> Sequence[int] | np.ndarray:
        return self._cut(self.own, np.arange(self.size) if self.own.tokens else self.size)

    @cached_property
    def content(self) -> list[int]:
        """What positions in this data rest on: how many examples there are, and a checksum of their lengths."""
        lengths = b"" if self.lengths is None else np.ascontiguousarray(self.lengths).tobytes()
        return [self.size, zlib.crc32(lengths)]

    def _cut(self, stretch: Stretch, examples: np.ndarray | int, first: int = 0) -> Sequence[int] | np.ndarray:
        """Return where the batches of all processes end; begins with the first example.

        In evaluation too there is something for each process in every batch (of processes that compute together, as
        where a network is divided over them, none may stop early): a rest that is too small goes to the last batch.
        """
        least = 0 if self.shuffle else stretch.world_size
        if stretch.stages:
            return StagedCuts(first, [(end, size * stretch.world_size) for end, size in stretch.stages])
        if stretch.tokens is None or self.lengths is None or isinstance(examples, int):
            size = examples if isinstance(examples, int) else len(examples)
            return EvenCuts(first, size, _together(stretch), least)
        cuts = cuts_by_length(self.lengths[examples], stretch.tokens, stretch.world_size)
        return np.delete(cuts, -2) if len(cuts) > 2 and cuts[-1] - cuts[-2] < least else cuts

    def layout(self, number: int | None = None) -> Layout:
        """Return what is left of an epoch, and in which batches; all of it where none was handed out in others.

        The examples of an epoch, and their order before they are grouped by length, depend on seed and epoch alone.
        What was handed out is taken away from them, and what remains is grouped and cut as a whole epoch would be.

        Args:
            number: of the epoch; this one's where none is given.
        """
        epoch, earlier = self.before
        current = self.epoch if number is None else number
        stretches = [*(earlier if epoch == current else []), self.own]
        seed = stretches[0].seed
        made = self.made[1] if self.made[0] == current else MIXED
        if self.lengths is None:
            done = 0
            for stretch in stretches[:-1]:
                before = self._cut(stretch, self.size, done)
                done = before[min(stretch.batches, len(before) - 1)]
            cuts = self._cut(self.own, self.size, done)
            return Layout(self._order(seed, current, made), cuts, range(len(cuts) - 1))
        rng = np.random.default_rng([seed, current])
        remaining = rng.permutation(self.size) if self.shuffle else np.arange(self.size)
        if self.shuffle and self.order is not None:
            remaining = self.order(seed, current, made)[:]
        for place, stretch in enumerate(stretches):
            rng = np.random.default_rng([seed, current, LATER_GROUPS, place]) if place else rng
            remaining = self._grouped(stretch, remaining, rng)
            cuts = self._cut(stretch, remaining)
            batches = np.arange(len(cuts) - 1)
            if stretch.tokens is not None and self.shuffle:
                key = [seed, current, LATER_BATCH_ORDER, place] if place else [seed, current, BATCH_ORDER]
                batches = np.random.default_rng(key).permutation(len(batches))
            if stretch is not self.own:
                kept = np.ones(len(remaining), bool)
                for batch in batches[: stretch.batches]:
                    kept[cuts[batch] : cuts[batch + 1]] = False
                remaining = remaining[kept]
        return Layout(remaining, cuts, batches)

    def _order(self, seed: int, epoch: int, made: int) -> Order:
        if not self.shuffle:
            return Ascending(self.size)
        if self.order is not None:
            return self.order(seed, epoch, made)
        if self.size > MANY and made != HELD:
            return Permutation(self.size, [seed, epoch])
        return np.random.default_rng([seed, epoch]).permutation(self.size)

    def _grouped(self, stretch: Stretch, order: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return an order with examples of similar length side by side."""
        assert self.lengths is not None
        if stretch.tokens is not None:
            return order[np.argsort(-self.lengths[order], kind="stable")]
        size, together = len(order), _together(stretch)
        sorted_together = together * grouped_batches(size // together)
        window = np.arange(size) // (sorted_together if self.shuffle else max(1, size))
        order = order[np.lexsort((-self.lengths[order], window))]
        if self.shuffle:
            whole = size // together
            groups = order[: whole * together].reshape(whole, together)
            order = np.concatenate([rng.permutation(groups).reshape(-1), order[whole * together :]])
        return order

    def __iter__(self) -> Iterator[list[int]]:
        layout = self.layout()
        remaining = layout.batches[self.start :] if len(self) else layout.batches[:0]
        for index in remaining:
            shared = layout.order[layout.cuts[index] : layout.cuts[index + 1]]
            of_process = shared[self.rank :: self.own.world_size]
            yield (of_process if len(of_process) else shared[-1:]).tolist()

    def examples(self, epoch: int, batch: int) -> list[int]:
        """Return what is in a batch, of all processes.

        Args:
            epoch: its number.
            batch: its number in the epoch.
        """
        layout = self.layout(epoch)
        index = layout.batches[batch - len(self)]  # from the end: what was handed out in other batches is not there
        numbers: list[int] = layout.order[layout.cuts[index] : layout.cuts[index + 1]].tolist()
        return numbers


def _together(stretch: Stretch) -> int:
    return stretch.batch_size * stretch.world_size


def grouped_batches(batches: int) -> int:
    """Return within how many batches examples are sorted by length.

    Many pad little. But in few steps batches of one length each learn less well (by three points of F1 on a thousand
    sentences of CoNLL), and of few examples the same ones would always share a batch.

    Args:
        batches: of an epoch.
    """
    return max(1, min(50, max(batches // 16, min(4, batches // 4))))
