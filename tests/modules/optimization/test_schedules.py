from __future__ import annotations

import math

import pytest

from pretune.modules.optimization.schedules import schedule, warmup_steps


def test_warmup_is_a_count_or_a_fraction() -> None:
    assert warmup_steps(0.1, 200) == 20
    assert warmup_steps(7, 200) == 7
    assert warmup_steps(1, 200) == 1
    assert warmup_steps(0.1, math.inf) == 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("constant", {0: 0.1, 9: 1.0, 50: 1.0, 100: 1.0}),
        ("linear", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 100: 0.0}),
        ("cosine", {4: 0.5, 10: 1.0, 55: 0.5, 100: 0.0}),
        ("wsd", {4: 0.5, 10: 1.0, 80: 1.0, 85: 0.5, 100: 0.0}),
    ],
)
def test_hand_computed_values(name: str, values: dict[int, float]) -> None:
    factor = schedule(name, total=100, warmup=10)  # type: ignore[arg-type]
    for step, value in values.items():
        assert factor(step) == pytest.approx(value, abs=1e-9), step


def test_a_schedule_that_decays_needs_an_end() -> None:
    with pytest.raises(ValueError, match="max_steps"):
        schedule("linear", math.inf, 0.1)
    assert schedule("constant", math.inf, 10)(9) == 1.0


def test_a_time_budget_ends_the_schedule_as_well() -> None:
    spent = 0.0
    factor = schedule("linear", math.inf, 0.1, clock=lambda: spent)
    assert factor(500) == pytest.approx(1e-5, rel=0.1)  # no time has passed, so the rate still rises
    spent = 0.55
    assert factor(500) == pytest.approx(0.5, abs=1e-4)
    spent = 1.0
    assert factor(3) == 0.0
    sooner = schedule("linear", 100, 0.0, clock=lambda: 0.25)
    assert sooner(10) == pytest.approx(0.75)
    assert sooner(80) == pytest.approx(0.2)
