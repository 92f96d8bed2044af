"""Labels of the data that are likely wrong."""

from __future__ import annotations

from ..section import Section, fill
from ..suspects import suspects
from ..tested import Tested
from ..texts import told

MOST = 30


def suspected(tested: Tested) -> Section | None:
    """Return the rows of the test whose labels confident learning doubts; None where nothing can be said.

    The model was not trained on these rows, as that method asks; of training rows it would say what it has learned by
    heart.
    """
    if tested.kind != "label" or not all("probabilities" in row and "label" in row for row in tested.rows):
        return None
    doubted = suspects(tested.rows)
    items = [
        told(tested.rows[s.number], f"labeled {s.label}, likelier {s.likelier} (by {s.margin:.1%})")
        for s in doubted[:MOST]
    ]
    return Section(
        "Labels that may be wrong", fill("suspects.html", items=items, count=len(doubted), rows=len(tested.rows))
    )
