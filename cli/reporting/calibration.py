"""Whether probabilities are as often right as they say (arXiv 1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Probabilities that lie next to each other.

    Args:
        said: their mean.
        true: the share of those that are right.
        low: the lower end of the 95% interval of that share (Wilson 1927).
        high: the upper end.
        count: how many there are.
    """

    said: float
    true: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Calibration:
    """How probabilities and shares agree.

    Args:
        bins: ten of equal width, without those that are empty.
        error: the expected calibration error: how far the two are apart, on the mean over all.
        brier: the mean squared difference of each probability and 0 or 1.
    """

    bins: list[Bin]
    error: float
    brier: float


def calibration(probabilities: np.ndarray, true: np.ndarray) -> Calibration:
    """Return how well probabilities tell.

    Args:
        probabilities: (n,), between 0 and 1.
        true: (n,), 0 or 1.
    """
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if count := int(inside.sum()):
            share = float(true[inside].mean())
            bins.append(Bin(float(probabilities[inside].mean()), share, *_wilson(share, count), count))
    error = sum(b.count * abs(b.said - b.true) for b in bins) / max(1, len(probabilities))
    return Calibration(bins, float(error), float(np.mean((probabilities - true) ** 2)))


def _wilson(share: float, count: int, z: float = 1.959964) -> tuple[float, float]:
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
