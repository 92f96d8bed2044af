"""Intervals and the paired bootstrap, by hand and on draws whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pretune.cli.commands.significance import interval, mcnemar, paired_bootstrap, range_of


def accuracy(gold: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean(gold == found))


def test_interval_by_hand() -> None:
    """Four values: t of 3 degrees of freedom is 3.1824 at 97.5%."""
    found = interval([1.0, 2.0, 3.0, 4.0])
    assert found["mean"] == 2.5
    assert found["std"] == pytest.approx(math.sqrt(5 / 3))
    half = 3.182446305284263 * math.sqrt(5 / 3) / 2
    assert (found["low"], found["high"]) == (pytest.approx(2.5 - half), pytest.approx(2.5 + half))
    assert interval([0.7]) == {"mean": 0.7, "std": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("name", "percent", "expected"),
    [
        ("val/f1", False, (0.0, 1.0)),
        ("val/f1_weighted", False, (0.0, 1.0)),
        ("val/f1", True, (0.0, 100.0)),
        ("val/has_answer_f1", True, (0.0, 100.0)),
        ("val/rougeL", False, (0.0, 1.0)),
        ("val/bleu", False, (0.0, 100.0)),
        ("val/mcc", False, (-1.0, 1.0)),
        ("val/loss", False, (0.0, math.inf)),
        ("val/perplexity", False, (0.0, math.inf)),
        ("val/own", False, (-math.inf, math.inf)),
    ],
)
def test_an_interval_stays_where_the_metric_can_be(name: str, percent: bool, expected: tuple[float, float]) -> None:
    assert range_of(name, percent) == expected
    found, half = interval([0.2, 0.9], within=expected), 12.7062 * 0.35  # t of one degree of freedom
    assert found["low"] == pytest.approx(max(expected[0], 0.55 - half), abs=1e-3)
    assert found["high"] == pytest.approx(min(expected[1], 0.55 + half), abs=1e-3)


def test_mcnemar_by_hand() -> None:
    """Five against one: 2 * (1 + 6) / 64."""
    first = np.array([True] * 5 + [False] + [True] * 10)
    second = np.array([False] * 5 + [True] + [True] * 10)
    assert mcnemar(first, second) == pytest.approx(2 * 7 / 64)
    assert mcnemar(first, first) == 1.0


def test_bootstrap_has_the_spread_that_theory_says() -> None:
    rng = np.random.default_rng(0)
    gold = np.ones(400)
    first, second = (rng.random(400) < 0.7).astype(float), (rng.random(400) < 0.8).astype(float)
    found = paired_bootstrap(gold, [first], [second], accuracy, resamples=4000)
    difference = second - first
    assert found["difference"] == pytest.approx(difference.mean())
    half = 1.96 * difference.std() / math.sqrt(400)
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.08)
    assert (found["p"] < 0.05) == (found["low"] > 0)


def test_nothing_is_found_where_nothing_is() -> None:
    gold = np.arange(100) % 2
    same = paired_bootstrap(gold, [gold], [gold], accuracy, resamples=200)
    assert same["p"] == 1.0
    assert same["difference"] == 0
    rng = np.random.default_rng(1)
    false = 0
    for number in range(40):
        one, two = ((rng.random(150) < 0.75).astype(int) for _ in range(2))
        found = paired_bootstrap(np.ones(150, int), [one], [two], accuracy, resamples=300, seed=number)
        false += found["p"] < 0.05
    assert false <= 7  # 2 are expected


def test_seeds_widen_the_interval() -> None:
    """Two runs that are far apart say little about a third."""
    rng = np.random.default_rng(2)
    gold = np.ones(300)
    good, bad, middle = ((rng.random(300) < share).astype(float) for share in (0.95, 0.55, 0.75))
    apart = paired_bootstrap(gold, [middle, middle], [good, bad], accuracy, resamples=1000)
    alike = paired_bootstrap(gold, [middle, middle], [middle, middle], accuracy, resamples=1000)
    assert apart["high"] - apart["low"] > 0.3 > alike["high"] - alike["low"]
