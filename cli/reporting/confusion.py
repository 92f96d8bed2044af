"""Which single labels are taken for which, and the scores of each that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import LEVEL, RESAMPLES, Estimate


@dataclass(frozen=True)
class Confusion:
    """How often each label was predicted where each is right.

    Args:
        labels: their names.
        gold: (pairs,) int64, what is right.
        predicted: (pairs,) int64, what was predicted; each pair of labels occurs once.
        counts: (pairs,) int64, how often.
    """

    labels: list[str]
    gold: np.ndarray
    predicted: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_rows(cls, gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str] = ()) -> Confusion:
        """Count rows.

        Args:
            gold: what is right.
            predicted: what was predicted.
            labels: in their order, as far as it is known.
        """
        names = list(dict.fromkeys([*labels, *sorted({*gold, *predicted} - set(labels))]))
        number = {name: place for place, name in enumerate(names)}
        pairs = Counter(zip(gold, predicted, strict=True))
        cells = np.array([(number[a], number[b], n) for (a, b), n in pairs.items()], np.int64).reshape(-1, 3)
        return cls(names, *cells.T)

    @classmethod
    def of_matrix(cls, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Confusion:
        """Take a matrix, whose rows are what is right."""
        square = np.asarray(matrix, np.int64)
        gold, predicted = np.nonzero(square)
        return cls(list(labels), gold, predicted, square[gold, predicted])

    def matrix(self) -> np.ndarray:
        """Return (labels, labels) int64; rows are what is right."""
        square = np.zeros((len(self.labels), len(self.labels)), np.int64)
        square[self.gold, self.predicted] = self.counts
        return square

    def estimates(self) -> tuple[dict[str, Estimate], list[dict[str, Estimate]]]:
        """Return accuracy, macro F1 and MCC; and of each label precision, recall and F1; all with intervals.

        Rows that are drawn with replacement are pairs of labels that are drawn by how often they occur: the counts of
        a resample are multinomial, which takes a fraction of the time.
        """
        total = int(self.counts.sum())
        drawn = np.random.default_rng(0).multinomial(total, self.counts / total, size=RESAMPLES)
        whole, each = _scores(self.counts[None], self.gold, self.predicted, len(self.labels))
        wholes, eaches = _scores(drawn, self.gold, self.predicted, len(self.labels))
        support = np.bincount(self.gold, self.counts, len(self.labels)).astype(int)
        overall = {name: _estimate(whole[name][0], wholes[name], total) for name in whole}
        of_labels = [
            {name: _estimate(each[name][0, place], eaches[name][:, place], int(support[place])) for name in each}
            for place in range(len(self.labels))
        ]
        return overall, of_labels


def _estimate(value: float, drawn: np.ndarray, rows: int) -> Estimate:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), rows)


def _scores(
    counts: np.ndarray, gold: np.ndarray, predicted: np.ndarray, labels: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores of (resamples, pairs) counts: over all, (resamples,); of each label, (resamples, labels)."""
    from scipy.sparse import csr_array

    pairs, ones, hit = np.arange(len(gold)), np.ones(len(gold)), gold == predicted
    of_gold = csr_array((ones, (pairs, gold)), shape=(len(gold), labels))
    of_found = csr_array((ones, (pairs, predicted)), shape=(len(gold), labels))
    right, there, said = (counts * hit) @ of_gold, counts @ of_gold, counts @ of_found
    total = counts.sum(1)
    each = {
        "precision": right / np.maximum(said, 1),
        "recall": right / np.maximum(there, 1),
        "f1": 2 * right / np.maximum(there + said, 1),
    }
    known = (there + said) > 0
    # Matthews' correlation of any number of labels (Gorodkin 2004).
    both = right.sum(1) * total - (there * said).sum(1)
    spread = np.sqrt((total**2 - (said**2).sum(1)) * (total**2 - (there**2).sum(1)))
    overall = {
        "accuracy": right.sum(1) / total,
        "f1": each["f1"].sum(1) / np.maximum(known.sum(1), 1),
        "mcc": np.divide(both, spread, out=np.zeros_like(spread), where=spread > 0),
    }
    return overall, each
