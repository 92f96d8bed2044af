"""Batches that a thread makes ahead: the same ones, in the same order, and no thread is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pretune.datamodules.batching.ahead import DEPTH, ahead
from pretune.datamodules.batching.batch_plan import BatchPlan
from pretune.datamodules.batching.loader import ResumableLoader

CPU = torch.device("cpu")


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "batches ahead"]


def test_the_same_batches_in_the_same_order() -> None:
    made = [{"input_ids": torch.tensor([i]), "full": True} for i in range(20)]
    found = list(ahead(iter(made), CPU, lambda batch: {**batch, "seen": 1}))
    assert [int(batch["input_ids"]) for batch in found] == list(range(20))
    assert all(batch["seen"] == 1 and batch["full"] is True for batch in found)
    assert not threads()


def test_no_more_than_some_are_made_before_they_are_wanted() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    batches = ahead(source(), CPU, lambda batch: batch)
    assert next(batches) == 0
    time.sleep(0.3)
    assert 2 <= len(made) <= DEPTH + 2  # those that wait, and one in hand
    batches.close()
    assert not threads()


def test_an_error_comes_in_its_turn() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("row 7 is damaged")

    batches = ahead(source(), CPU, lambda batch: batch)
    assert next(batches) == 1
    with pytest.raises(ValueError, match="row 7 is damaged"):
        next(batches)
    assert not threads()


@pytest.mark.parametrize("error", [RuntimeError("no such device"), StopIteration("of a batch")])
def test_whatever_goes_wrong_is_said(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that cannot be used, and an error that looks like the end."""

    def fails(*_: Any) -> None:
        raise error

    if isinstance(error, StopIteration):
        batches = ahead(iter([1, 2]), CPU, fails)
    else:
        monkeypatch.setattr(torch.cuda, "set_device", fails)
        batches = ahead(iter([1, 2]), torch.device("cuda", 9), lambda batch: batch)
    with pytest.raises(RuntimeError) as found:  # Python makes one of a StopIteration that leaves a generator
        next(batches)
    assert error in (found.value, found.value.__cause__)
    assert not threads()


def test_a_script_may_end_while_batches_wait() -> None:
    """Nothing is printed, and nobody waits for longer than it takes to see that."""
    code = (
        "import threading, torch; from pretune.datamodules.batching.ahead import ahead\n"
        "batches = ahead(iter(range(99)), torch.device('cpu'), lambda batch: batch)\n"
        "next(batches); print([t.daemon for t in threading.enumerate() if t.name == 'batches ahead'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert (done.stdout, done.stderr) == ("[False]\n", "")


class Numbers:
    """Twelve examples."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.from_numpy(np.array(indices))}


def loader(device: torch.device | None) -> ResumableLoader:
    return ResumableLoader(Numbers(), BatchPlan(12, 2, shuffle=True, seed=3), device=device)  # type: ignore[arg-type]


def rows(batches: Any) -> list[list[int]]:
    return [batch["input_ids"].tolist() for batch in batches]


def test_a_loader_with_it_stops_and_goes_on_where_it_was() -> None:
    """Its position is what was handed out, not what was made ahead."""
    plain = rows(loader(None))
    first = loader(CPU)
    batches = iter(first)
    begun = rows(next(batches) for _ in range(2))
    time.sleep(0.2)  # more are ready by now
    state = first.state_dict()
    batches.close()  # type: ignore[attr-defined]
    again = loader(CPU)
    again.load_state_dict(state)
    assert state["position"] == 2
    assert [*begun, *rows(again)] == plain


def test_it_draws_no_random_number_of_its_own() -> None:
    """Those are what dropout draws of."""
    after = []
    for device in (None, CPU):
        torch.manual_seed(5)
        assert len(list(loader(device))) == 6
        after.append(torch.rand(1))
    assert torch.equal(*after)
