from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from pretune.datamodules.batching.batch_plan import BatchPlan
from pretune.datamodules.batching.loader import ResumableLoader
from pretune.errors import InputError


class Numbers:
    """Hands out its indices."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.tensor(indices)}


def loader(size: int = 23, batch_size: int = 4, workers: int = 0, **plan: Any) -> ResumableLoader:
    return ResumableLoader(Numbers(size), BatchPlan(size, batch_size, shuffle=True, seed=1, **plan), workers)


def epoch(found: ResumableLoader, number: int) -> list[list[int]]:
    found.plan.set_epoch(number)
    return [batch["input_ids"].tolist() for batch in found]


def test_an_epoch_is_a_permutation_that_depends_on_seed_and_epoch() -> None:
    first, second = epoch(loader(), 0), epoch(loader(), 1)
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second)) == list(range(23))
    assert first != second
    assert first == epoch(loader(), 0)
    assert len(first) == len(loader()) == 6


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("number", "after"), [(0, 3), (2, 1), (2, 5)])
def test_resuming_goes_on_where_it_stopped(workers: int, number: int, after: int) -> None:
    whole = loader(workers=workers)
    whole.plan.set_epoch(number)
    expected = [b["input_ids"].tolist() for b in whole]
    stopped = loader(workers=workers)
    stopped.plan.set_epoch(number)
    iterator = iter(stopped)
    for _ in range(after):
        next(iterator)
    state = stopped.state_dict()
    assert (state["epoch"], state["position"], state["before"]) == (number, after, [])
    resumed = loader(workers=workers)
    early = iter(resumed)  # Lightning makes the iterator before it restores the state
    resumed.load_state_dict(state)
    resumed.plan.set_epoch(number)
    assert [b["input_ids"].tolist() for b in early] == expected[after:]
    assert epoch(resumed, number + 1) == epoch(loader(), number + 1)


def test_a_state_of_the_epochs_end_starts_the_next() -> None:
    resumed = loader()
    resumed.load_state_dict({"epoch": 0, "position": 6})
    assert epoch(resumed, 1) == epoch(loader(), 1)


def test_resuming_late_costs_no_more_than_early() -> None:
    late = ResumableLoader(Numbers(2_000_000), BatchPlan(2_000_000, 4, shuffle=True))
    late.load_state_dict({"epoch": 0, "position": 499_999})
    handed = []
    late.dataset.__class__.__getitem__ = lambda self, i: handed.append(i) or {"input_ids": torch.tensor(i)}  # type: ignore
    assert len(list(late)) == 1
    assert len(handed) == 1


@pytest.mark.parametrize("size", [8, 21, 23, 24, 25])
def test_ranks_share_an_epoch(size: int) -> None:
    parts = [epoch(loader(size, rank=rank, world_size=2), 0) for rank in range(2)]
    assert len(parts[0]) == len(parts[1])
    together = list(itertools.chain(*parts[0], *parts[1]))
    assert set(together) == set(range(size))
    assert len(together) - size <= 1  # one is repeated where a process would have none


def test_fewer_than_no_workers_are_refused() -> None:
    with pytest.raises(InputError, match=r"data.num_workers is -1; it must be at least 0"):
        loader(workers=-1)


# ---------------------------------------------------------------------- going on in other batches


LENGTHS = np.random.default_rng(3).integers(3, 60, 101)
CUTS: dict[str, Any] = {
    "smaller": {"batch_size": 3},
    "larger": {"batch_size": 8},
    "two processes": {"batch_size": 2, "world_size": 2},
    "tokens": {"batch_size": 1, "tokens": 200},
}


def everywhere(cut: dict[str, Any], state: Any, batches: int | None, **data: Any) -> tuple[list[int], Any, int]:
    """The examples that all processes hand out, the state after them, and where they began in batches."""
    found: list[int] = []
    for rank in range(cut.get("world_size", 1)):
        plan = BatchPlan(len(LENGTHS), **{"shuffle": True, "seed": 1, "rank": rank, **data, **cut})
        loader = ResumableLoader(Numbers(len(LENGTHS)), plan)
        if state is not None:
            loader.load_state_dict(state)
        plan.set_epoch(2)
        for batch in itertools.islice(iter(loader), batches):
            found += batch["input_ids"].tolist()
    return found, loader.state_dict(), loader.resumed_at or 0


@pytest.mark.parametrize("data", [{}, {"lengths": LENGTHS}], ids=["plain", "grouped"])
@pytest.mark.parametrize("cuts", list(itertools.permutations(CUTS, 3)), ids="-".join)
def test_an_epoch_goes_on_in_other_batches(cuts: tuple[str, ...], data: dict[str, Any]) -> None:
    """Whatever the batches before and after, twice in one epoch: every example once."""
    if not data:
        cuts = tuple(cut for cut in cuts if cut != "tokens")
    seen, state = [], None
    for number, name in enumerate(cuts):
        some, state, began = everywhere(CUTS[name], state, 5 if number < len(cuts) - 1 else None, **data)
        seen += some
        assert state["epoch"] == 2
        if number:
            plan = BatchPlan(len(LENGTHS), **{"shuffle": True, **data, **CUTS[name]})
            left = len(plan) - began
            assert 0 < left <= len(plan)
    assert set(seen) == set(range(len(LENGTHS)))
    assert len(seen) - len(LENGTHS) <= 1  # one is repeated where a process would have none
    after = BatchPlan(len(LENGTHS), 4, shuffle=True, seed=1)
    resumed = ResumableLoader(Numbers(len(LENGTHS)), after)
    resumed.load_state_dict(state)
    after.set_epoch(3)
    whole = BatchPlan(len(LENGTHS), 4, shuffle=True, seed=1)
    whole.set_epoch(3)
    assert list(after) == list(whole)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["plain", "grouped"])
def test_a_mixture_goes_on_in_other_batches(lengths: Any) -> None:
    """Some examples are drawn twice in an epoch: as often again, and no more."""
    drawn = np.concatenate((np.arange(60), np.arange(41)))

    def order(seed: int, epoch: int, made: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(drawn)

    first, state, _ = everywhere({"batch_size": 4}, None, 7, order=order, lengths=lengths)
    rest, _, _ = everywhere({"batch_size": 9}, state, None, order=order, lengths=lengths)
    assert sorted(first + rest) == sorted(drawn.tolist())


def test_other_data_within_an_epoch_are_refused() -> None:
    stopped = loader(23)
    stopped.plan.set_epoch(1)
    next(iter(stopped))
    state = stopped.state_dict()
    other = loader(24)
    other.load_state_dict(state)
    other.plan.set_epoch(1)
    with pytest.raises(InputError, match="within an epoch of 23 training examples; now there are 24"):
        next(iter(other))
    other.load_state_dict(state)
    assert epoch(other, 2) == epoch(loader(24), 2)  # another epoch is not concerned


def test_a_state_of_an_earlier_version_goes_on() -> None:
    expected = epoch(loader(), 1)
    resumed = loader()
    resumed.load_state_dict({"epoch": 1, "position": 2})
    assert epoch(resumed, 1) == expected[2:]


def test_which_examples_a_batch_held() -> None:
    found = loader(lengths=np.arange(23))
    batches = epoch(found, 0)
    assert [sorted(found.plan.examples(0, i)) for i in range(6)] == [sorted(batch) for batch in batches]
