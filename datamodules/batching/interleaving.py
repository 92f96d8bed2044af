"""The order of a mixture of corpora, computed where it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from .permutation import Permutation

CYCLE = 1 << 20
"""Places within which each corpus comes exactly as often as its weight says."""


class Shuffled(Protocol):
    """A random order of the examples of a corpus."""

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return what stands at some places of the order: int64."""


def shuffled(corpus: Any, seed: list[int]) -> Shuffled:
    """Return a random order of the examples of a corpus: its own where it has one, as shards in windows have.

    Args:
        corpus: a dataset.
        seed: whole numbers.
    """
    own: Callable[[list[int]], Shuffled] | None = getattr(corpus, "shuffled", None)
    return own(seed) if own is not None else Permutation(len(corpus), seed)


class Interleaved:
    """The examples of an epoch of a mixture, of which any part takes time and memory of that part and one cycle.

    Places are numbered through all epochs, and divided into cycles. In each, every corpus has as many places as its
    weight says, at random; the corpora are gone through there in random orders, one after the other, each from where it
    stopped: small ones are repeated whole, and nothing of a large one is left out for good.

    Args:
        corpora: datasets; the numbers of their examples follow each other.
        weights: of the corpora; relative to each other.
        seed: of the order.
        epoch: its number.
        size: places of the epoch; None: as many as there are examples.
        before: examples of each corpus that came before the first epoch.
        stage: tells orders of one seed from each other.
    """

    def __init__(
        self,
        corpora: Sequence[Any],
        weights: Sequence[float],
        seed: int,
        epoch: int = 0,
        size: int | None = None,
        before: Sequence[int] = (),
        stage: int | None = None,
    ) -> None:
        self.corpora, self.seed = corpora, seed
        self._sizes = [len(corpus) for corpus in corpora]
        self.size = sum(self._sizes) if size is None else size
        self._before = list(before) or [0] * len(corpora)
        self._stage = [] if stage is None else [stage]
        self.first = epoch * self.size
        """The place, of all epochs, that this one begins with."""
        self._turns: dict[int, tuple[int, Shuffled]] = {}
        """Of each corpus the order at hand, and which one it is."""
        self._begins = np.cumsum([0, *self._sizes])
        self._places = places_of_weights(weights)
        self._number = -1
        """The cycle that is at hand."""

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return a part of the order: int64."""
        start, stop, step = part.indices(self.size)
        places = np.arange(start, stop, step, dtype=np.int64) + self.first
        cycles = places // CYCLE
        numbers = np.empty(len(places), np.int64)
        for cycle in np.unique(cycles).tolist():
            numbers[cycles == cycle] = self._of_cycle(cycle, places[cycles == cycle] % CYCLE)
        return numbers

    def counts(self) -> list[int]:
        """Return how many examples of each corpus the epoch has."""
        (first, skipped), (last, rest) = divmod(self.first, CYCLE), divmod(self.first + self.size, CYCLE)
        whole = np.array(self._places) * (last - first)
        for cycle, places, sign in ((first, skipped, -1), (last, rest, 1)):
            if places:
                self._enter(cycle)
                whole = whole + sign * np.bincount(self._which[:places], minlength=len(self._places))
        return [int(count) for count in whole]

    def _enter(self, cycle: int) -> None:
        """Lay out the places of a cycle."""
        if self._number == cycle:
            return
        self._which = np.random.default_rng([self.seed, cycle, *self._stage]).permutation(self._plain)
        self._nth = np.empty(CYCLE, np.int32)
        for corpus, count in enumerate(self._places):
            self._nth[self._which == corpus] = np.arange(count, dtype=np.int32)
        self._number = cycle

    def _of_cycle(self, cycle: int, places: np.ndarray) -> np.ndarray:
        self._enter(cycle)
        numbers = np.empty(len(places), np.int64)
        which = self._which[places]
        for corpus in np.unique(which).tolist():
            mine, size = which == corpus, self._sizes[corpus]
            drawn = self._before[corpus] + cycle * self._places[corpus] + self._nth[places[mine]].astype(np.int64)
            examples = np.empty(len(drawn), np.int64)
            for turn in np.unique(drawn // size).tolist():
                now = drawn // size == turn
                examples[now] = self._order(corpus, turn).at(drawn[now] % size)
            numbers[mine] = self._begins[corpus] + examples
        return numbers

    def _order(self, corpus: int, turn: int) -> Shuffled:
        if corpus not in self._turns or self._turns[corpus][0] != turn:
            self._turns[corpus] = turn, shuffled(self.corpora[corpus], [self.seed, corpus, turn])
        return self._turns[corpus][1]

    @cached_property
    def _plain(self) -> np.ndarray:
        return np.repeat(np.arange(len(self._places), dtype=np.uint16), self._places)


def places_of_weights(weights: Sequence[float]) -> list[int]:
    """Return how many places of a cycle each corpus has: by weight, and one at least where that is not 0.

    Args:
        weights: relative to each other.
    """
    shares = np.array(weights, np.float64) / sum(weights) * CYCLE
    places = np.where(shares > 0, np.maximum(1, np.floor(shares)), 0).astype(np.int64)
    by_rest = [corpus for corpus in np.argsort(-(shares - places), kind="stable") if shares[corpus] > 0]
    for place in range(CYCLE - int(places.sum())):
        places[by_rest[place % len(by_rest)]] += 1
    while (over := int(places.sum()) - CYCLE) > 0:  # each of many tiny weights has taken a place
        places[int(np.argmax(places))] -= over
    return [int(one) for one in places]
