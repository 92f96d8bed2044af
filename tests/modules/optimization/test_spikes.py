"""Losses that jump are found, with what was typical before, and those that last are told apart."""

from __future__ import annotations

import math
import random

import torch

from pretune.modules.optimization.guard import NumericGuard
from pretune.modules.optimization.spikes import Spikes

TYPICAL = [2 + (i % 7) / 10 for i in range(60)]


def found(losses: list[float]) -> Spikes:
    spikes = Spikes()
    for step, loss in enumerate(losses, 1):
        spikes.add(step, loss)
    return spikes


def test_a_jump_is_taken_down() -> None:
    spikes = found([*TYPICAL, 30.0, *[2.0] * 5])
    assert spikes.noted == [{"step": 61, "loss": 30.0, "typical": 2.3, "steps": 1}]
    assert spikes.lasting(0) is None
    assert spikes.sentence() == "The training loss jumped at step 61 (30; typical: 2.3)."


FALL = [0.7] * 40 + [0.7 * 0.8**i for i in range(30)] + [0.002 + i % 5 / 1e4 for i in range(40)]


def test_a_jump_while_the_fall_is_remembered() -> None:
    """Half of the window is at 0.7 and half at 0.002: a deviation of so many factors says nothing."""
    spikes = found([*FALL, 370.0, 376.0, 318.0])
    assert [(spike["step"], spike["loss"]) for spike in spikes.noted] == [(111, 376.0)]
    assert not found([*FALL, 0.9, 0.003]).noted


def test_what_a_rollback_undid_is_forgotten() -> None:
    spikes = found([*FALL, 370.0, 376.0, 318.0])
    spikes.close()
    for step, loss in enumerate([*FALL[-20:], 300.0], 114):
        spikes.add(step, loss)
    assert [spike["loss"] for spike in spikes.noted] == [376.0, 300.0]


def test_one_that_lasts_is_one_spike() -> None:
    spikes = found([*TYPICAL, 9.0, math.nan, 12.0, 11.0])
    assert spikes.noted == [{"step": 61, "loss": 12.0, "typical": 2.3, "steps": 4}]
    assert spikes.lasting(60) == spikes.noted[0]
    assert spikes.lasting(64) is not None
    assert spikes.lasting(65) is None
    spikes.close()
    spikes.add(65, 12.0)
    assert [spike["step"] for spike in spikes.noted] == [61, 65]


def test_what_is_no_jump() -> None:
    """The slow fall of a loss, the first ones, noise of a few percent, and batches that differ by factors."""
    draw = random.Random(0)
    assert not found([9 / (1 + i / 20) for i in range(300)]).noted
    assert not found([1.0] * 29 + [50.0]).noted
    assert not found([3.0 * draw.gauss(1, 0.03) for _ in range(2000)]).noted
    assert not found([math.exp(draw.gauss(-4, 1.2)) for _ in range(5000)]).noted
    assert not found([0.0] * 60 + [1.0]).noted  # nothing is typical of it


def test_a_new_level_becomes_typical() -> None:
    spikes = found([*[2.0 + i % 3 / 10 for i in range(200)], *[5.0 + i % 3 / 10 for i in range(400)]])
    assert [spike["step"] for spike in spikes.noted] == [201]
    assert not spikes.is_open


def test_a_resumed_run_finds_what_an_uninterrupted_one_does() -> None:
    losses = [*TYPICAL, 9.0, 9.5, 10.0, 2.1, 30.0, 2.0]
    whole = NumericGuard(5)
    cut = NumericGuard(5)
    for step, loss in enumerate(losses, 1):
        whole.look(step, torch.tensor(loss), torch.tensor(1.0))
        whole.read()
        if step == 62:
            counts, seen = cut.state(), cut.spikes_state()
            cut = NumericGuard(5)
            cut.restore(counts, seen)
        cut.look(step, torch.tensor(loss), torch.tensor(1.0))
        cut.read()
    assert whole.spikes_state() == cut.spikes_state()
    assert [spike["step"] for spike in whole.spikes.noted] == [61, 65]
