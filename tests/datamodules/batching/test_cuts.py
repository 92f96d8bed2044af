from __future__ import annotations

import pytest

from pretune.datamodules.batching.cuts import EvenCuts, StagedCuts


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 31])
@pytest.mark.parametrize("least", [0, 2, 7])
@pytest.mark.parametrize("first", [0, 5])
def test_even_cuts_are_those_of_a_list(size: int, least: int, first: int) -> None:
    cuts = EvenCuts(first, first + size, 8, least)
    listed = [first, *range(first + 8, first + size, 8), first + size]
    if len(listed) > 2 and listed[-1] - listed[-2] < least:
        del listed[-2]
    assert list(cuts) == listed
    assert len(cuts) == len(listed)
    assert cuts[-1] == first + size
    with pytest.raises(IndexError):
        cuts[len(listed)]


def test_even_cuts_of_nothing() -> None:
    assert list(EvenCuts(4, 4, 8)) == [4]


@pytest.mark.parametrize("first", range(0, 31))
def test_staged_cuts_are_those_of_each_stage(first: int) -> None:
    """From any example on: batches of 4 until 10, of 3 until 10 (nobody), of 5 until 23, of 2 until 30."""
    stages = [(10, 4), (10, 3), (23, 5), (30, 2)]
    listed, batches = [first], []
    for number, (end, size) in enumerate(stages):
        while listed[-1] < end:
            listed.append(min(end, listed[-1] + size))
            batches.append(number)
    cuts = StagedCuts(first, stages)
    assert list(cuts) == listed
    assert [cuts.stage(batch) for batch in range(len(cuts) - 1)] == batches
