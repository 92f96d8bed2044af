"""The labels of rows that have several, one number for each label that a row has."""

from __future__ import annotations

import numpy as np


class MultiHot:
    """Reads as a matrix of zeros and ones, (rows, labels) float32, of which only what is asked for is made.

    Two million rows of five thousand labels are 40 GB as a matrix.

    Args:
        ends: (rows,) int64, where the labels of each row end in `labels`.
        labels: (labels of all rows,), their numbers.
        width: how many labels there are.
    """

    def __init__(self, ends: np.ndarray, labels: np.ndarray, width: int) -> None:
        self.ends, self.labels, self.width = ends, labels, width

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, rows: list[int] | np.ndarray) -> np.ndarray:
        some = self.of(np.asarray(rows))
        matrix = np.zeros((len(some), self.width), np.float32)
        matrix[np.repeat(np.arange(len(some)), np.diff(some.ends, prepend=0)), some.labels] = 1
        return matrix

    def tolist(self) -> list[list[float]]:
        """Return all of the matrix."""
        matrix: list[list[float]] = self[np.arange(len(self))].tolist()
        return matrix

    def of(self, rows: np.ndarray) -> MultiHot:
        """Return some of the rows."""
        sizes = np.diff(self.ends, prepend=0)[rows]
        ends = np.cumsum(sizes)
        places = np.arange(int(sizes.sum())) + np.repeat(self.ends[rows] - ends, sizes)
        return MultiHot(ends, self.labels[places], self.width)

    def counts(self) -> np.ndarray:
        """Return (labels,) int64: how many rows have each."""
        rows = np.repeat(np.arange(len(self)), np.diff(self.ends, prepend=0))
        once = np.unique(rows * self.width + self.labels)  # two spellings of a label may have one name
        return np.bincount(once % self.width, minlength=self.width)


def some_of(targets: np.ndarray | MultiHot, rows: np.ndarray) -> np.ndarray | MultiHot:
    """Return the targets of some rows, by number."""
    return targets.of(rows) if isinstance(targets, MultiHot) else targets[rows]


def count_labels(labels: int, targets: np.ndarray | MultiHot) -> np.ndarray:
    """Return how many rows have each label: (labels,) int64.

    Args:
        labels: how many there are.
        targets: (rows,), the number of the label of each row; or several of each.
    """
    return targets.counts() if isinstance(targets, MultiHot) else np.bincount(targets, minlength=labels)
