"""How it went: losses, their gap, the monitored metric and probes over the steps."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ...learning_curves import Curves, Points
from ...pages import Line, lines
from ..run import Run
from ..section import Section, fill

STEP = "optimizer step"


def course(run: Run) -> Section | None:
    """Return the charts over the steps; None where nothing was logged."""
    curves = run.curves
    kept = run.entry("fit").get("kept")
    step = kept.get("step") if isinstance(kept, dict) else None
    marks = [(float(step), f"kept: step {step:,}")] if isinstance(step, int) else []
    charts: list[Markup] = []
    if curves.losses or curves.validation:
        charts.append(lines("Loss", _losses_said(curves), _losses(curves), STEP, "loss", marks=marks))
    if len(curves.gap) > 1:
        series = [line("gap", curves.gap, color=2)]
        said = f"The validation loss lies above the smoothed training loss by {curves.gap[-1][1]:+.3g} at the end."
        charts.append(lines("Gap of validation and training loss, as logged", said, series, STEP, "gap", marks=marks))
    if curves.metric and curves.validation_metric:
        name = curves.metric.removeprefix("val/")
        series = [
            line("train, of an epoch", curves.train_metric, "dashed"),
            line("validation", curves.validation_metric, color=1),
        ]
        best = max(curves.validation_metric, key=lambda point: point[1])
        lowest = min(curves.validation_metric, key=lambda point: point[1])
        said = f"Lowest in validation at step {lowest[0]:,} ({lowest[1]:.4g}), highest at {best[0]:,} ({best[1]:.4g})."
        charts.append(lines(name, said, series, STEP, name, marks=marks))
    charts += _probes(run, marks)
    return Section("How it went", fill("charts.html", charts=charts)) if charts else None


def line(name: str, points: Points, style: str = "line", color: int = 0, tabled: bool = True) -> Line:
    """Return points as a line of a chart."""
    return Line(name, [s for s, _ in points], [v for _, v in points], style, color, tabled)  # type: ignore[arg-type]


def _losses(curves: Curves) -> list[Line]:
    return [
        line("train, each step", curves.losses, "points", tabled=False),
        line("train, smoothed", curves.smoothed),
        line("validation", curves.validation, color=1),
    ]


def _losses_said(curves: Curves) -> str:
    parts = []
    for name, points in (("Training", curves.smoothed), ("Validation", curves.validation)):
        if points:
            (first, before), (last, after) = points[0], points[-1]
            parts.append(f"{name} loss goes from {before:.4g} at step {first:,} to {after:.4g} at step {last:,}.")
    return " ".join(parts)


def _probes(run: Run, marks: Sequence[tuple[float, str]]) -> list[Markup]:
    """What probes say of the features while pretraining."""
    names = dict.fromkeys(name for row in run.metrics for name in row if name.startswith("probe/"))
    charts = []
    for name in names:
        points = [(int(row["step"]), row[name]) for row in run.metrics if name in row]
        said = f"{name} goes from {points[0][1]:.4g} to {points[-1][1]:.4g}."
        charts.append(lines(f"Probe: {name[6:]}", said, [line(name, points, color=3)], STEP, name, marks=marks))
    return charts
