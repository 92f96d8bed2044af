"""What always saying the same label would score: less is learned where training does not come above it."""

from __future__ import annotations

from collections.abc import Sequence


def majority_scores(occurrences: Sequence[int]) -> dict[str, float]:
    """Return the scores, by name, of whoever always says the most frequent label.

    Args:
        occurrences: of each label, in what is scored.
    """
    there = [count for count in occurrences if count]
    if not there:
        return {}
    share = max(there) / sum(there)
    f1 = 2 * share / (1 + share)
    return {"accuracy": share, "f1": f1 / len(there), "f1_weighted": f1 * share, "mcc": 0.0}
