"""What always saying the same label would score: less is learned where training does not come above it."""

from __future__ import annotations

from collections.abc import Sequence


def majority_scores(occurrences: Sequence[int]) -> dict[str, float]:
    """Return the scores, by name, of whoever always says the most frequent label.

    Args:
        occurrences: of each label, in what is scored.
    """
    counts = [count for count in occurrences if count]
    if not counts:
        return {}
    share = max(counts) / sum(counts)
    f1 = 2 * share / (1 + share)
    return {"accuracy": share, "f1": f1 / len(counts), "f1_weighted": f1 * share, "mcc": 0.0}
