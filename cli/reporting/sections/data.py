"""What it was fed."""

from __future__ import annotations

from ..run import Run
from ..section import Section, fill

MOST = 50


def data(run: Run) -> Section | None:
    """Return files, rows, tokens and label counts of each split; None where the run does not say."""
    splits = {name: facts for name, facts in run.entry("data").items() if isinstance(facts, dict)}
    if not splits:
        return None
    kinds = list(dict.fromkeys(k for facts in splits.values() for k in facts if k != "labels"))
    rows = [[split, *(_shown(facts.get(kind)) for kind in kinds)] for split, facts in splits.items()]
    counts = {split: facts["labels"] for split, facts in splits.items() if isinstance(facts.get("labels"), dict)}
    names = list(dict.fromkeys(name for labels in counts.values() for name in labels))
    labels = [[name, *(f"{labels.get(name, 0):,}" for labels in counts.values())] for name in names[:MOST]]
    values = {
        "kinds": kinds,
        "rows": rows,
        "splits": list(counts),
        "labels": labels,
        "left_out": max(0, len(names) - MOST),
    }
    return Section("What it was fed", fill("data.html", **values))


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)
