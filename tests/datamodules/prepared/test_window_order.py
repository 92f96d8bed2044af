from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pretune.datamodules.prepared.window_order import WindowOrder

SIZES = [5, 1, 9, 0, 4, 7, 3]


@pytest.mark.parametrize("window", [1, 2, 3, 7, 20])
def test_each_example_once_few_shards_at_a_time(window: int) -> None:
    order = WindowOrder(SIZES, window, [3])
    whole = order[:]
    assert np.array_equal(np.sort(whole), np.arange(sum(SIZES)))
    assert len(order) == sum(SIZES)
    for part in (slice(0, 4), slice(7, 19), slice(28, 29), slice(2, 2)):
        assert np.array_equal(order[part], whole[part])
    ends = np.cumsum(SIZES)
    shards = np.searchsorted(ends, whole, side="right")
    begin = 0
    for number in range(-(-len(SIZES) // window)):
        together = order.shards(number)
        size = int(np.asarray(SIZES)[together].sum())
        assert set(shards[begin : begin + size].tolist()) <= set(together.tolist())
        begin += size


def test_orders_differ_by_seed() -> None:
    sizes = [50] * 20
    one, other = (WindowOrder(sizes, 4, [0, epoch])[:] for epoch in (0, 1))
    assert not np.array_equal(one, other)
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.9  # mixed within windows, and not read off
    assert np.array_equal(one, WindowOrder(sizes, 4, [0, 0])[:])


def test_who_brings_shards_hears_of_each_window_and_the_next() -> None:
    told: list[tuple[list[int], list[int]]] = []
    order = WindowOrder([4] * 6, 2, [1], lambda now, then: told.append((now, then)))
    for begin in range(0, 24, 3):
        order[begin : begin + 3]
    windows = [order.shards(number).tolist() for number in range(3)]
    assert told == [(windows[0], windows[1]), (windows[1], windows[2]), (windows[2], [])]


def test_memory_is_that_of_the_shards() -> None:
    tracemalloc.start()
    order = WindowOrder(np.full(20_000, 500_000), 8, [0])
    order[9_999_000_000:9_999_000_064]
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
