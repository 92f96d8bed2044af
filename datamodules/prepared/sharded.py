"""The examples of many shards as one dataset, of which few are at hand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ...storage.prepared import Shard
from ..batching.batch_plan import MANY, MIXED
from ..batching.mixture import join
from ..batching.permutation import Order, Permutation
from ..batching.whole_batches import WholeBatches
from .shard_store import ShardFiles, ShardStore
from .window_order import WindowOrder

AT_HAND = 64
"""Shards that stay mapped."""


class Sharded(WholeBatches):
    """Examples of many shards, numbered through; those of a shard are made when one of them is first asked for.

    Args:
        files: where the shards' files are.
        shards: which.
        dtype: of their ids.
        counts: examples of each shard.
        make: takes the store of a shard to its examples.
        window: shards whose examples are mixed in training; None mixes all of them.
        suffixes: of the files that its examples are made of.
    """

    def __init__(
        self,
        files: ShardFiles,
        shards: Sequence[Shard],
        dtype: str,
        counts: Sequence[int] | np.ndarray,
        make: Callable[[ShardStore], Any],
        window: int | None = None,
        suffixes: Sequence[str] = ("bin",),
    ) -> None:
        self.files, self.shards, self.dtype, self.make = files, shards, dtype, make
        self.window, self.suffixes = window, suffixes
        self.counts = np.asarray(counts, np.int64)
        self.ends = np.cumsum(self.counts)
        self._at_hand: OrderedDict[int, Any] = OrderedDict()
        self._following = 0

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def store(self, shard: int) -> ShardStore:
        """Return the tokens of a shard."""
        return ShardStore(self.files, self.shards[shard], self.dtype)

    def samples(self, most: int) -> list[tuple[int, ShardStore]]:
        """Return some shards, evenly spread, each with the number of its first document in all of them.

        Args:
            most: how many.
        """
        sizes = np.array([shard.documents for shard in self.shards], np.int64)
        chosen = np.unique(np.linspace(0, len(sizes) - 1, min(most, len(sizes))).astype(int)).tolist()
        return [(int(sizes[:shard].sum()), self.store(shard)) for shard in chosen]

    @property
    def documents(self) -> int:
        """How many there are in all."""
        return sum(shard.documents for shard in self.shards)

    def part(self, shard: int) -> Any:
        """Return the examples of a shard."""
        if shard in self._at_hand:
            self._at_hand.move_to_end(shard)
        else:
            in_order = self.window is None and shard == self._following  # as in evaluation
            if in_order and shard + 1 < len(self.shards):
                self._expect([shard], [shard + 1])
            self._following = shard + 1
            self._at_hand[shard] = self.make(self.store(shard))
            while len(self._at_hand) > AT_HAND:
                self._at_hand.popitem(last=False)
        return self._at_hand[shard]

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        numbers = np.asarray(indices)
        which = np.searchsorted(self.ends, numbers, side="right")
        within = numbers - (self.ends - self.counts)[which]
        runs = np.flatnonzero(np.diff(which, prepend=-1))  # one after the other in the order that was asked for
        batches = [self.part(int(shard))[part.tolist()] for shard, part in self._runs(which, within, runs)]
        return join(batches) if len(batches) > 1 else batches[0]

    @staticmethod
    def _runs(which: np.ndarray, within: np.ndarray, runs: np.ndarray) -> list[tuple[int, np.ndarray]]:
        return [(which[begin], part) for begin, part in zip(runs, np.split(within, runs[1:]), strict=True)]

    def shuffled(self, seed: Sequence[int]) -> Permutation | WindowOrder:
        """Return a random order of all examples, computed where it is read.

        Args:
            seed: whole numbers.
        """
        if self.window is None:
            return Permutation(len(self), seed)
        return WindowOrder(self.counts, self.window, seed, self._expect)

    def order(self, seed: int, epoch: int, made: int = MIXED) -> Order:
        """Return the examples of an epoch in their order.

        Args:
            seed: of the order.
            epoch: its number.
            made: is told of what an earlier version began, which knew no shards.
        """
        if self.window is None and len(self) <= MANY:
            return np.random.default_rng([seed, epoch]).permutation(len(self))
        return self.shuffled([seed, epoch])

    def _expect(self, now: list[int], then: list[int]) -> None:
        names = [f"{self.shards[i].name}.{suffix}" for i in (*now, *then) for suffix in self.suffixes]
        self.files.expect(names, self.shards[0].name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_at_hand": OrderedDict()}
