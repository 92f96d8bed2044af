"""What a document is about, as a short vector: hashed words, weighted by how rare they are, with no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .units import WORDS, codes

DIMENSIONS = 32
SPARE, ROUNDS = 10, 4
"""Further directions, and rounds, that make the first ones exact enough."""
SEEN = 20_000
"""Characters of a document that count: what it is about shows in its beginning."""


def beginning(text: str) -> str:
    """Return what is looked at of a text."""
    return text[:SEEN]


@dataclass(frozen=True)
class WordEmbedding:
    """Latent semantic analysis: TF-IDF of hashed words, along the directions in which a sample of texts varies most.

    Args:
        weights: (buckets,), how rare each bucket is.
        directions: (buckets, d).
    """

    weights: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, sample: Sequence[str], frequencies: np.ndarray, documents: int) -> WordEmbedding:
        """Return the one of a corpus.

        Args:
            sample: some of its documents.
            frequencies: (buckets,), in how many documents words of each bucket are.
            documents: how many there are.
        """
        weights = rarity(frequencies, documents)
        return cls(weights, _directions(_weighted(sample, weights)))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return (texts, d) float64, each of length 1; zeros for a text without a word."""
        return of_length_one(_weighted(texts, self.weights) @ self.directions)


def of_length_one(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, d) brought to the length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(lengths > 0, lengths, 1)
    return scaled


def count_matrix(texts: Sequence[str], size: int) -> Any:
    """Return how often words of each bucket occur in each text: a sparse (texts, buckets) matrix of float64."""
    from scipy.sparse import csr_array

    numbers, lengths = codes([beginning(text) for text in texts], WORDS)
    owners = np.repeat(np.arange(len(texts)), lengths)
    places = (numbers % np.uint64(size)).astype(np.int64)
    return csr_array((np.ones(len(places)), (owners, places)), shape=(len(texts), size))


def document_frequencies(texts: Sequence[str], size: int) -> np.ndarray:
    """Return how many texts have words of each bucket: (buckets,) int64."""
    return np.bincount(count_matrix(texts, size).indices, minlength=size)


def rarity(frequencies: np.ndarray, documents: int) -> np.ndarray:
    """Return the inverse document frequency of each bucket, smoothed: (buckets,) float64."""
    weights: np.ndarray = np.log((1 + documents) / (1 + frequencies))
    return weights


def _weighted(texts: Sequence[str], weights: np.ndarray) -> Any:
    counts = count_matrix(texts, len(weights))
    counts.data = (1 + np.log(counts.data)) * weights[counts.indices]
    return counts


def _directions(rows: Any) -> np.ndarray:
    """Return the first right singular vectors of rows of length 1, found at random (arXiv 0909.4061): (buckets, d)."""
    from scipy.sparse import csr_array, diags_array

    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows = csr_array(diags_array(1 / np.where(lengths > 0, lengths, 1)) @ rows)
    span = np.random.default_rng(0).normal(size=(rows.shape[1], DIMENSIONS + SPARE))
    for _ in range(ROUNDS):
        span = np.linalg.qr(rows.T @ np.linalg.qr(rows @ span)[0])[0]
    basis = np.linalg.qr(rows @ span)[0]
    vectors = np.linalg.svd(basis.T @ rows, full_matrices=False)[2][:DIMENSIONS]
    return np.ascontiguousarray(vectors.T)
