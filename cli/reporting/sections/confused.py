"""Which labels are taken for which."""

from __future__ import annotations

from ..confusion import Confusion
from ..run import Run
from ..section import Section, fill
from ..tested import Tested

MOST_SHOWN = 20
"""Labels of a matrix; of more the most frequent confusions are listed."""
MOST_PAIRS = 30


def confused(run: Run, tested: Tested | None) -> Section | None:
    """Return the confusion matrix of single labels, and scores of each label.

    Args:
        run: whose summary has the matrix of the test.
        tested: the rows, where they are kept: the matrix then is of them.
    """
    test = run.entry("test")
    labels, matrix = test.get("labels"), test.get("confusion_matrix")
    if tested is not None and tested.kind == "label":
        gold, said = ([str(row[key]) for row in tested.rows] for key in ("label", "prediction"))
        confusion = Confusion.of_rows(gold, said, labels if isinstance(labels, list) else ())
    elif isinstance(labels, list) and isinstance(matrix, list):
        confusion = Confusion.of_matrix(labels, matrix)
    else:
        return None
    if not confusion.counts.sum():
        return None
    each = confusion.estimates()[1]
    rows = [
        [name, f"{e['f1'].rows:,}", *(f"{e[k].value:.3f} ({e[k].low:.3f} to {e[k].high:.3f})" for k in e)]
        for name, e in zip(confusion.labels, each, strict=True)
    ]
    pairs = sorted(
        (
            (int(n), confusion.labels[a], confusion.labels[b])
            for a, b, n in zip(confusion.gold, confusion.predicted, confusion.counts, strict=True)
            if a != b
        ),
        reverse=True,
    )[:MOST_PAIRS]
    listed = [[right, said, f"{n:,}"] for n, right, said in pairs]
    small = len(confusion.labels) <= MOST_SHOWN
    square = confusion.matrix() if small else None
    cells = [
        (name, [(int(n), float(n / max(1, row.sum())), a == b) for b, n in enumerate(row)])
        for a, (name, row) in enumerate(zip(confusion.labels, square, strict=True))
    ] if square is not None else []  # fmt: skip
    values = {
        "labels": confusion.labels,
        "cells": cells,
        "pairs": listed,
        "rows": rows[:200],
        "left_out": max(0, len(rows) - 200),
    }
    return Section("Which label is taken for which", fill("confusion.html", **values))
