"""Intervals of the scores of a test, as far as they follow from what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..reporting.bootstrap import Estimate
from ..reporting.confusion import Confusion
from ..reporting.tested import Tested

CLOSE = 1e-4
"""How far a score may be from the one that was logged, to be the same, as a share of it."""
LOGGED = {"mean squared error": "mse"}
"""What scores are called in the log, where that differs."""


def intervals(test: Mapping[str, Any], scores: Mapping[str, float], rows: Sequence[Any]) -> dict[str, Estimate]:
    """Return the 95% interval of each score that follows from a test; of others, nothing.

    Args:
        test: its entry in the summary, with the confusion matrix of single labels.
        scores: as they were logged. A name whose score comes out otherwise is another metric, and gets none.
        rows: of the test, as far as they were kept.
    """
    confusion = confusion_of(test)
    if confusion is not None:
        found = confusion.estimates()[0]
    elif rows:
        found = {LOGGED.get(one.name, one.name): one.estimate() for one in Tested(rows).measures}
    else:
        return {}
    return {
        name: estimate
        for name, estimate in found.items()
        if name in scores and abs(estimate.value - scores[name]) <= CLOSE * max(1.0, abs(scores[name]))
    }


def most_frequent(test: Mapping[str, Any]) -> float | None:
    """Return the accuracy of always saying the most frequent label of a test; None where its labels are not known."""
    confusion = confusion_of(test)
    return None if confusion is None else float(confusion.matrix().sum(1).max() / confusion.counts.sum())


def confusion_of(test: Mapping[str, Any]) -> Confusion | None:
    """Return the confusion matrix of a test; None where there is none."""
    labels, matrix = test.get("labels"), test.get("confusion_matrix")
    if not isinstance(labels, list) or not isinstance(matrix, list) or len(matrix) != len(labels):
        return None
    try:
        confusion = Confusion.of_matrix(labels, matrix)
    except (ValueError, TypeError, OverflowError):  # somebody has edited the summary
        return None
    return confusion if len(labels) > 1 and confusion.counts.sum() > 0 else None
