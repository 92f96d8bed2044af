"""Scores before training, of the best validation, and of the test with intervals."""

from __future__ import annotations

from typing import Any

from ..bootstrap import Estimate
from ..confusion import Confusion
from ..run import Run
from ..section import Section, fill
from ..tested import Tested


def scores(run: Run, tested: Tested | None) -> Section | None:
    """Return the table of scores; None where nothing was validated or tested.

    Args:
        run: whose summary and metrics are read.
        tested: the rows of the test, from which the intervals follow.
    """
    before, best, test = named_scores(run.entry("before")), best_validation(run), named_scores(run.entry("test"))
    names = sorted({*before, *best, *test}, key=lambda name: (name != "loss", name))
    if not names:
        return None
    ranges = intervals(tested) if tested is not None else {}
    rows = [
        [name, *(_shown(part.get(name)) for part in (before, best, test)), _range(ranges.get(name))] for name in names
    ]
    scored = run.entry("test").get("scored")
    kept = run.entry("test_rows")
    return Section(
        "Scores",
        fill("scores.html", rows=rows, scored=_scored(scored), tested=bool(test), kept=kept, intervals=bool(ranges)),
    )


def intervals(tested: Tested) -> dict[str, Estimate]:
    """Return scores of the test rows, with intervals, by the names that are logged."""
    estimates = {measure.name: measure.estimate() for measure in tested.measures}
    if tested.kind == "label":
        gold, said = ([str(row[key]) for row in tested.rows] for key in ("label", "prediction"))
        estimates |= Confusion.of_rows(gold, said).estimates()[0]
    return estimates | ({"mse": estimates["mean squared error"]} if "mean squared error" in estimates else {})


def named_scores(entry: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of an entry by what stands behind the stage."""
    return {
        name.partition("/")[2]: value
        for name, value in entry.items()
        if "/" in name and isinstance(value, int | float) and not isinstance(value, bool)
    }


def best_validation(run: Run) -> dict[str, float]:
    """Return what the validation of the kept weights logged."""
    kept = run.entry("fit").get("kept")
    step = kept.get("step") if isinstance(kept, dict) else None
    row = {n: v for m in run.metrics if m["step"] == step for n, v in m.items() if n.startswith("val/")}
    return {name.removeprefix("val/"): value for name, value in row.items()}


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _range(estimate: Estimate | None) -> str:
    return f"{estimate.low:.4f} to {estimate.high:.4f}" if estimate is not None else ""


def _scored(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    weights = f"{entry['checkpoint']} (step {entry.get('step')})" if "checkpoint" in entry else "the weights at hand"
    return f"{weights} on {entry['files']}" if "files" in entry else weights
