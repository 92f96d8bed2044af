"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...learning_curves import Points
from ...pages import lines
from ..run import Run
from ..section import Section, fill
from ..tested import Tested
from .course import STEP, line
from .overview import spell_seconds
from .scores import best_validation, intervals, named_scores

MOST_DRAWN = 6
"""Curves in one chart: as many colors as there are."""


def scores_together(runs: Sequence[Run]) -> Section:
    """Return the scores of all runs in a table, those of a test with their intervals."""
    told = [_told(run) for run in runs]
    rows = [[name, *(of_run.get(name, "") for of_run in told)] for name in dict.fromkeys(n for t in told for n in t)]
    names, caption = ["score", *(run.name for run in runs)], "Of each run; those of a test with 95% intervals"
    return Section("Scores", fill("together.html", names=names, rows=rows, caption=caption))


def _told(run: Run) -> dict[str, str]:
    fit = run.entry("fit")
    cells: dict[str, str] = {}
    if isinstance(fit.get("steps"), int):
        cells["steps"] = f"{fit['steps']:,}"
    if isinstance(fit.get("seconds"), int | float):
        cells["time"] = spell_seconds(fit["seconds"])
    rows = list(run.tested())
    ranges = intervals(Tested(rows)) if rows else {}
    for stage, entry in (("validation", best_validation(run)), ("test", named_scores(run.entry("test")))):
        for name, value in sorted(entry.items(), key=lambda item: (item[0] != "loss", item[0])):
            between = ranges.get(name) if stage == "test" else None
            cells[f"{stage} {name}"] = f"{value:.4f}" + (
                f" ({between.low:.4f} to {between.high:.4f})" if between else ""
            )
    return cells


def curves_together(runs: Sequence[Run]) -> Section | None:
    """Return the curves of all runs, laid over one another."""
    charts = []
    drawn = runs[:MOST_DRAWN]
    parts: list[tuple[str, list[Points]]] = [
        ("training loss, smoothed", [run.curves.smoothed for run in drawn]),
        ("validation loss", [run.curves.validation for run in drawn]),
    ]
    monitors = {run.curves.metric for run in drawn if run.curves.metric}
    for metric in sorted(monitors):
        same = [run.curves.validation_metric if run.curves.metric == metric else [] for run in drawn]
        parts.append((metric.replace("val/", "validation "), same))
    for title, points in parts:
        series = [
            line(run.name, each, color=place) for place, (run, each) in enumerate(zip(drawn, points, strict=True))
        ]
        ends = [f"{run.name} ends at {each[-1][1]:.4g}." for run, each in zip(drawn, points, strict=True) if each]
        if ends:
            charts.append(lines(title[0].upper() + title[1:], " ".join(ends), series, STEP, title))
    words = f"The first {MOST_DRAWN} of {len(runs)} runs." if len(runs) > MOST_DRAWN else ""
    return Section("How they went", fill("charts.html", charts=charts, words=words)) if charts else None


def configurations(runs: Sequence[Run]) -> Section | None:
    """Return the options in which the runs differ."""
    flat = [_flat(run.config) for run in runs]
    names = [name for name in dict.fromkeys(n for f in flat for n in f) if len({repr(f.get(name)) for f in flat}) > 1]
    rows = [[name, *(_shown(f[name]) if name in f else "" for f in flat)] for name in names]
    if not rows:
        return None
    names = ["option", *(run.name for run in runs)]
    return Section("How their configurations differ", fill("together.html", names=names, rows=rows, caption="Options"))


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _flat(value: Any, above: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {above: value}
    return {name: leaf for k, v in value.items() for name, leaf in _flat(v, f"{above}.{k}" if above else k).items()}
