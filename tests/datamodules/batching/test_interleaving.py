from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from pretune.datamodules.batching import interleaving
from pretune.datamodules.batching.interleaving import CYCLE, Interleaved, places_of_weights


def mixed(sizes: list[int], weights: list[float], seed: int, epoch: int) -> Interleaved:
    return Interleaved([range(size) for size in sizes], weights, seed, epoch)


@pytest.mark.parametrize(
    ("weights", "places"),
    [
        ([1.0, 1.0], [CYCLE // 2, CYCLE // 2]),
        ([3, 1], [3 * CYCLE // 4, CYCLE // 4]),
        ([1, 1, 1], [CYCLE // 3 + 1, CYCLE // 3, CYCLE // 3]),
        ([1, 1e-12], [CYCLE - 1, 1]),
    ],
)
def test_places_are_shared_out_by_weight(weights: list[float], places: list[int]) -> None:
    assert places_of_weights(weights) == places
    assert sum(places) == CYCLE


def test_each_corpus_is_gone_through_whole_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over epochs and cycles, nobody comes twice before everybody came once, and shares are the weights."""
    monkeypatch.setattr(interleaving, "CYCLE", 64)
    sizes, weights = [100, 7, 40], [2.0, 1.0, 1.0]
    seen = np.zeros(sum(sizes), int)
    ends = np.cumsum(sizes)
    for epoch in range(9):
        order = mixed(sizes, weights, 5, epoch)[:]
        np.add.at(seen, order, 1)
        for begin, end in zip(ends - sizes, ends, strict=True):
            assert seen[begin:end].max() - seen[begin:end].min() <= 1
        shares = np.bincount(np.searchsorted(ends, order, side="right")) / len(order)
        assert np.abs(shares - [0.5, 0.25, 0.25]).max() < 0.12
    assert seen.min() > 0


def test_any_part_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaving, "CYCLE", 32)
    order = mixed([50, 20], [1, 3], 1, 2)
    whole = order[:]
    assert len(order) == len(whole) == 70
    for part in (slice(3, 9), slice(30, 70), slice(69, 70), slice(5, 5), slice(1, 60, 7)):
        assert np.array_equal(order[part], whole[part])
    assert not np.array_equal(whole, mixed([50, 20], [1, 3], 1, 3)[:])
    assert not np.array_equal(whole, mixed([50, 20], [1, 3], 2, 2)[:])


def test_a_position_far_away_costs_no_more() -> None:
    size = 10**12
    tracemalloc.start()
    start = time.perf_counter()
    part = mixed([size // 10, size - size // 10], [1, 1], 0, 3)[size - 64 : size]
    passed = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(part.tolist())) == 64
    assert 0 <= part.min() <= part.max() < size
    assert peak < 40e6
    assert passed < 5
