"""Confidence intervals by resampling rows (Efron and Tibshirani 1993), for scores that follow from sums over rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1_000
LEVEL = 0.95
AT_ONCE = 2_000_000
"""Draws that are in memory at a time."""


@dataclass(frozen=True)
class Estimate:
    """A score with its interval.

    Args:
        value: over all rows.
        low: the lower end, of 95%.
        high: the upper end.
        rows: how many there are.
    """

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Measure:
    """A score that follows from sums over rows, such as accuracy from what is right and how many there are.

    Args:
        name: of the score.
        parts: (rows, parts) float64, what is summed.
        of_sums: takes sums, (..., parts), to scores, (...,).
    """

    name: str
    parts: np.ndarray
    of_sums: Callable[[np.ndarray], np.ndarray]

    def value(self, rows: np.ndarray | None = None) -> float:
        """Return the score over some rows, or all."""
        parts = self.parts if rows is None else self.parts[rows]
        return float(self.of_sums(parts.sum(0)))

    def estimate(self, rows: np.ndarray | None = None) -> Estimate:
        """Return it with its interval: the quantiles of the score over rows drawn with replacement, always the same.

        Args:
            rows: numbers of the rows, or which of them; null means all.
        """
        parts = self.parts if rows is None else self.parts[rows]
        scores = self.of_sums(resampled_sums(parts))
        low, high = np.nanquantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(float(self.of_sums(parts.sum(0))), float(low), float(high), len(parts))


def resampled_sums(parts: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return (resamples, parts): sums over as many rows as there are, drawn with replacement.

    Args:
        parts: (rows, parts).
        resamples: how many to draw.
        seed: of the draws.
    """
    rng, n = np.random.default_rng(seed), len(parts)
    sums = np.empty((resamples, parts.shape[1]))
    step = max(1, AT_ONCE // max(1, n))
    for begin in range(0, resamples, step):
        many = min(step, resamples - begin)
        drawn = rng.integers(n, size=(many, n)) + n * np.arange(many)[:, None]
        times = np.bincount(drawn.ravel(), minlength=many * n).reshape(many, n)
        sums[begin : begin + many] = times @ parts
    return sums


def ratio(sums: np.ndarray) -> np.ndarray:
    """Return the first sum over the second."""
    scores: np.ndarray = sums[..., 0] / np.maximum(sums[..., 1], 1e-12)
    return scores


def f1(sums: np.ndarray) -> np.ndarray:
    """Return F1 of what is right, predicted, and there: in this order."""
    scores: np.ndarray = 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1e-12)
    return scores


def pearson(sums: np.ndarray) -> np.ndarray:
    """Return the correlation, of the sums of 1, x, y, xx, yy and xy."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = np.sqrt(np.maximum(n * xx - x * x, 0) * np.maximum(n * yy - y * y, 0))
    return np.where(spread > 1e-12, (n * xy - x * y) / np.maximum(spread, 1e-12), np.nan)
