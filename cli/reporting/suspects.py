"""Labels that are likely wrong: rows that a model which has not seen them contradicts (arXiv 1911.00068)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .run import Row

FEWEST = 5
"""Rows of a label below which nothing is said of it: the bar is a mean over them."""


@dataclass(frozen=True)
class Suspect:
    """A row whose label is likely another one.

    Args:
        number: of the row.
        label: that it has.
        likelier: that it should have.
        margin: by how much the other one is likelier.
    """

    number: int
    label: str
    likelier: str
    margin: float


def suspects(rows: Sequence[Row]) -> list[Suspect]:
    """Return the rows whose labels confident learning doubts, the clearest first.

    A label's bar is the mean probability that it is given by the rows which have it. A row counts for each label whose
    bar its probability reaches; where the likeliest of these is not its own, its label is doubted. The bars make up
    for labels that the model is in general too sure, or not sure enough, of.

    Args:
        rows: with `label` and `probabilities`, of a model that was not trained on them.
    """
    chances: dict[str, list[float]] = {}
    for row in rows:
        chances.setdefault(row["label"], []).append(row["probabilities"].get(row["label"], 0.0))
    bars = {label: float(np.mean(values)) for label, values in chances.items() if len(values) >= FEWEST}
    doubted = []
    for number, row in enumerate(rows):
        given = row["probabilities"]
        over = [name for name, chance in given.items() if name in bars and chance >= bars[name]]
        best = max(over, key=given.__getitem__, default=row["label"])
        margin = given.get(best, 0.0) - given.get(row["label"], 0.0)
        if best != row["label"] and margin > 0:
            doubted.append(Suspect(number, row["label"], best, margin))
    return sorted(doubted, key=lambda suspect: -suspect.margin)
