"""Importance of documents to a target, by hashed bags of n-grams (DSIR, arXiv 2302.03169)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .units import buckets


@dataclass
class Bag:
    """How often n-grams of each bucket occur.

    Args:
        counts: (buckets,), int64.
    """

    counts: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], size: int) -> Bag:
        """Return the bag of some texts; those of several lots of texts add up to that of all.

        Args:
            texts: any.
            size: number of buckets.
        """
        return cls(np.bincount(buckets(texts, size)[0], minlength=size))

    def __add__(self, other: Bag) -> Bag:
        """Return the bag of both."""
        return Bag(self.counts + other.counts)


def log_ratios(target: Bag, corpus: Bag) -> np.ndarray:
    """Return of each bucket how much likelier an n-gram of it is in the target than in the corpus, as a logarithm.

    The target's frequencies are smoothed towards those of the corpus, by as many n-grams as there are buckets: a small
    target calls nothing impossible that it merely does not hold. What is not in the corpus is 0: no document has it.

    Args:
        target: its n-grams.
        corpus: those of what is selected from.

    Returns:
        (buckets,), float64.
    """
    size = len(corpus.counts)
    raw = corpus.counts / max(1, corpus.counts.sum())
    smoothed = (target.counts + size * raw) / (target.counts.sum() + size)
    ratios = np.zeros(size)
    ratios[raw > 0] = np.log(smoothed[raw > 0] / raw[raw > 0])
    return ratios


def log_weights(texts: Sequence[str], ratios: np.ndarray) -> np.ndarray:
    """Return the logarithm of each text's importance: the sum over its n-grams.

    Args:
        texts: any.
        ratios: from `log_ratios`.

    Returns:
        (texts,), float64.
    """
    found, owners = buckets(texts, len(ratios))
    weights: np.ndarray = np.bincount(owners, ratios[found], len(texts))
    return weights
