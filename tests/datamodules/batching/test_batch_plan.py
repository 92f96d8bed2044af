from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from pretune.datamodules.batching.batch_plan import BatchPlan


def test_ranks_evaluate_nothing_twice() -> None:
    for size in (1, 5, 8, 9):
        plans = [BatchPlan(size, 4, shuffle=False, rank=rank, world_size=2) for rank in range(2)]
        batches = [list(plan) for plan in plans]
        assert [len(b) for b in batches] == [len(plan) for plan in plans]
        assert sorted(itertools.chain(*batches[0], *batches[1])) == list(range(size))
        assert len(plans[0]) == len(plans[1]) or size < 2  # of processes that compute together, none stops early


@pytest.mark.parametrize(("size", "most"), [(1000, 0.25), (10_000, 0.08)])
def test_grouping_pads_less_and_loses_nothing(size: int, most: float) -> None:
    lengths = np.random.default_rng(0).integers(3, 120, size)

    def padding(batches: list[list[int]]) -> float:
        total = sum(len(b) * lengths[b].max() for b in batches)
        return float(1 - lengths.sum() / total)

    plain = list(BatchPlan(size, 16, shuffle=True))
    grouped_plan = BatchPlan(size, 16, shuffle=True, lengths=lengths)
    grouped = list(grouped_plan)
    assert sorted(itertools.chain(*grouped)) == list(range(size))
    assert padding(grouped) < most < 0.3 < padding(plain)
    tops = [lengths[b].max() for b in grouped]
    assert tops != sorted(tops)  # batches do not come in order of length
    grouped_plan.set_epoch(1)
    assert list(grouped_plan) != grouped
    # Nor are the same examples always together: two of a batch seldom meet again.
    again = {i: set(batch) for batch in grouped_plan for i in batch}
    met = sum(j in again[i] for batch in grouped for i in batch for j in batch if i < j)
    assert met < 0.1 * sum(len(batch) * (len(batch) - 1) / 2 for batch in grouped)


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_budget_of_tokens_is_kept_and_the_number_of_batches_never_changes(world_size: int) -> None:
    lengths = np.random.default_rng(0).integers(3, 120, 1000)
    epochs = []
    for number in range(3):
        found: list[list[int]] = []
        for rank in range(world_size):
            plan = BatchPlan(1000, 1, shuffle=True, lengths=lengths, tokens=512, rank=rank, world_size=world_size)
            plan.set_epoch(number)
            mine = list(plan)
            assert len(mine) == len(plan)
            assert all(len(b) * lengths[b].max() <= 512 for b in mine)
            found += mine
        assert set(itertools.chain(*found)) == set(range(1000))
        assert sum(map(len, found)) - 1000 <= world_size - 1
        epochs.append(found)
    assert len({len(found) for found in epochs}) == 1
    assert epochs[0] != epochs[1] != epochs[2]
    assert [sorted(b) for b in epochs[0]] != [sorted(b) for b in epochs[1]]
    assert sum(len(b) * lengths[b].max() for b in epochs[0]) < 1.15 * lengths.sum()  # and little is padded


def test_a_budget_of_tokens_in_evaluation() -> None:
    lengths = np.random.default_rng(1).integers(3, 60, 77)
    for size in (1, 5, 77):
        plans = [
            BatchPlan(size, 1, shuffle=False, lengths=lengths[:size], tokens=100, rank=r, world_size=2) for r in (0, 1)
        ]
        batches = [list(plan) for plan in plans]
        assert [len(b) for b in batches] == [len(plan) for plan in plans]
        assert sorted(itertools.chain(*batches[0], *batches[1])) == list(range(size))
        assert len(plans[0]) == len(plans[1]) or size < 2  # of processes that compute together, none stops early


@pytest.mark.parametrize("start", [0, 10_000])
def test_an_epoch_needs_no_list_of_its_examples(start: int) -> None:
    """A list of 500,000 numbers would take 20 MB, an array takes 4; where the epoch goes on makes no difference."""
    plan = BatchPlan(500_000, 32, shuffle=True)
    plan.start = start
    tracemalloc.start()
    first = next(iter(plan))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(first) == 32
    assert peak < 12e6


def test_many_examples_take_no_memory() -> None:
    plan = BatchPlan(30_000_000, 32, shuffle=True, world_size=8)
    tracemalloc.start()
    first = next(iter(plan))
    assert tracemalloc.get_traced_memory()[1] < 12e6
    tracemalloc.stop()
    assert len(set(first)) == 32


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_trillion_examples_take_no_memory(shuffle: bool) -> None:
    """Neither the order nor where its batches end is held; the last batch costs no more than the first."""
    size = 10**12 + 100
    plan = BatchPlan(size, 32, shuffle=shuffle, world_size=8, rank=7)
    tracemalloc.start()
    assert len(plan) == -(-size // 256)
    first = next(iter(plan))
    plan.start = len(plan) - 1
    last = list(iter(plan))  # the plan itself would tell how long a list may become
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    assert len(first) == 32
    assert len(last) == 1
    assert len(last[0]) == 100 // 8
    assert len(plan.examples(0, len(plan) - 2)) == 256
