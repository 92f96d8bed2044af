"""Which rows train, which are held out, and in which order labels come."""

from __future__ import annotations

import numpy as np


def sort_labels(labels: set[str]) -> list[str]:
    """Numbers by value, names by alphabet."""
    if all(label.lstrip("-").isdigit() for label in labels):
        return sorted(labels, key=int)
    return sorted(labels)


def hold_out(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and validation; every label gives its share.

    Args:
        labels: (n,), the label of each row.
        fraction: share to hold out; at least one row in all, if there is more than one.
        seed: of the choice.
    """
    rng = np.random.default_rng([seed, 1])
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held[rows[: round(fraction * len(rows))]] = True
    if not held.any() and len(labels) > 1:
        held[rng.integers(len(labels))] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def draw(labels: np.ndarray, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` of the `rows` of each label (or all it has), drawn by seed; in ascending order."""
    rng = np.random.default_rng([seed, 2])
    chosen = [rng.permutation(rows[labels[rows] == label])[:count] for label in np.unique(labels[rows])]
    return np.sort(np.concatenate(chosen))
