"""Whether a difference is real: confidence intervals and the paired bootstrap."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], float]
"""Takes what is right and what was predicted, one entry for each example."""


UNIT = ("accuracy", "precision", "recall", "f1", "exact_match", "rouge")
"""How the names of scores begin or end that lie between 0 and 1, or between 0 and 100."""
SIGNED = ("mcc", "pearson", "spearman")
POSITIVE = ("loss", "mse", "perplexity")


def range_of(name: str, percent: bool = False) -> tuple[float, float]:
    """Return between which numbers a metric lies; infinite where that is not known.

    Args:
        name: of the metric, such as `val/f1`.
        percent: whether scores go up to 100, as SQuAD's do.
    """
    short = name.rpartition("/")[2]
    if short in SIGNED:
        return -1.0, 1.0
    if short in ("bleu", "chrf") or any(short.startswith(kind) or short.endswith(kind) for kind in UNIT):
        return 0.0, 100.0 if percent or short in ("bleu", "chrf") else 1.0
    return 0.0 if short.endswith(POSITIVE) else -math.inf, math.inf


def interval(
    values: Sequence[float], level: float = 0.95, within: tuple[float, float] = (-math.inf, math.inf)
) -> dict[str, float | None]:
    """Return mean, standard deviation, and the confidence interval of the mean by Student's t.

    Args:
        values: one for each seed.
        level: of confidence.
        within: the least and the greatest mean that there can be, where the interval ends at the latest.

    Returns:
        `mean`, `std`, `low` and `high`; the last three are None for a single value.
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return {"mean": mean, "std": None, "low": None, "high": None}
    from scipy.stats import t

    std = statistics.stdev(values)
    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * std / math.sqrt(len(values))
    return {"mean": mean, "std": std, "low": max(within[0], mean - half), "high": min(within[1], mean + half)}


def paired_bootstrap(
    gold: np.ndarray,
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    metric: Metric,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Return how far the second is ahead of the first, and how sure that is (Koehn 2004; Efron and Tibshirani 1993).

    Each resample draws examples with replacement, the same for both sides; and where a side has several seeds, seeds
    too, each side its own: the interval then is of another training run, not only of other examples.

    Args:
        gold: (examples,), what is right.
        first: for each seed (examples,), what was predicted.
        second: the same of the other side.
        metric: of a set of examples.
        resamples: how many to draw.
        level: of confidence.
        seed: of the draws.

    Returns:
        `scores` of both sides (means over seeds), their `difference`, its `low` and `high`, and `p`, two-sided: the
        chance of a difference as large the other way round.
    """
    rng = np.random.default_rng(seed)
    scores = [statistics.fmean(metric(gold, predicted) for predicted in side) for side in (first, second)]
    differences = np.empty(resamples)
    for i in range(resamples):
        rows = rng.integers(len(gold), size=len(gold))
        drawn = [
            [side[j] for j in (rng.integers(len(side), size=len(side)) if len(side) > 1 else [0])]
            for side in (first, second)
        ]
        means = [statistics.fmean(metric(gold[rows], predicted[rows]) for predicted in side) for side in drawn]
        differences[i] = means[1] - means[0]
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    tails = (np.sum(differences <= 0) + 1, np.sum(differences >= 0) + 1)
    return {
        "scores": scores,
        "difference": scores[1] - scores[0],
        "low": float(low),
        "high": float(high),
        "p": float(min(1.0, 2 * min(tails) / (resamples + 1))),
    }


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the exact two-sided p value of McNemar's test.

    Args:
        first: (examples,), whether one side was right.
        second: the same of the other.
    """
    from scipy.stats import binomtest

    one, other = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def welch(first: Sequence[float], second: Sequence[float], level: float = 0.95) -> dict[str, Any]:
    """Return how far the second mean is ahead of the first, by Welch's t for unequal spreads (Welch 1947).

    Args:
        first: a score of each seed.
        second: the same of the other side.
        level: of confidence.

    Returns:
        `difference`, its `low` and `high`, and `p`, two-sided; the last three are None where a side has one seed alone.
    """
    gap = statistics.fmean(second) - statistics.fmean(first)
    if min(len(first), len(second)) < 2:
        return {"difference": gap, "low": None, "high": None, "p": None}
    parts = [statistics.variance(side) / len(side) for side in (first, second)]
    error = math.sqrt(sum(parts))
    if not error:
        return {"difference": gap, "low": gap, "high": gap, "p": 0.0 if gap else 1.0}
    from scipy.stats import t

    freedom = sum(parts) ** 2 / sum(part**2 / (len(s) - 1) for part, s in zip(parts, (first, second), strict=True))
    half = float(t.ppf((1 + level) / 2, freedom)) * error
    return {"difference": gap, "low": gap - half, "high": gap + half, "p": float(2 * t.sf(abs(gap) / error, freedom))}
