"""The curves of a run, which follow from what it has logged: losses, their gap, the monitored metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

FEWEST_STEPS = 4
"""That a smoothed training loss spans."""
TRAIN, VALIDATION = "train/loss", "val/loss"

Points = list[tuple[int, float]]
"""Optimizer steps, each with a number."""


@dataclass(frozen=True)
class Curves:
    """What is drawn of a run; every curve is a list of (optimizer step, number).

    Args:
        losses: of training, as logged.
        smoothed: the same, each the mean of the steps around it.
        validation: losses.
        gap: by how much the validation loss lies above the smoothed training loss.
        metric: the monitored metric, where that is not the loss.
        train_metric: over each epoch of training, where that is measured.
        validation_metric: in each validation.
    """

    losses: Points
    smoothed: Points
    validation: Points
    gap: Points
    metric: str | None
    train_metric: Points
    validation_metric: Points

    def at(self, step: int) -> dict[str, float]:
        """Return the losses at a validation, their gap and the monitored metric, as far as they are known."""
        named = {TRAIN: _before(self.smoothed, step), VALIDATION: dict(self.validation).get(step)}
        if self.metric is not None:
            named[self.metric] = dict(self.validation_metric).get(step)
        named["gap"] = dict(self.gap).get(step)
        return {name: value for name, value in named.items() if value is not None}


def curves(rows: Iterable[Mapping[str, float]], monitor: str | None = None) -> Curves:
    """Return the curves of a run.

    The loss of a single batch says little: a smoothed one is the mean of the steps around it, as many as lie between
    two validations, but at most a tenth of the run.

    Args:
        rows: what was logged: `step`, and metrics by name; a later row of the same step wins.
        monitor: the metric that the best weights are chosen by, such as `val/accuracy`.
    """
    rows = list(rows)
    losses, validation = _points(rows, TRAIN), _points(rows, VALIDATION)
    metric = monitor if monitor != VALIDATION else None
    last = max((step for step, _ in losses), default=0)
    between = [b - a for (a, _), (b, _) in pairwise(validation)]
    smoothed = _smoothed(losses, span=max(FEWEST_STEPS, min([last / 10, *([median(between)] if between else [])])))
    gap = [(step, loss - train) for step, loss in validation if (train := _before(smoothed, step)) is not None]
    return Curves(
        losses,
        smoothed,
        validation,
        gap,
        metric,
        _points(rows, metric.replace("val/", "train/", 1)) if metric else [],
        _points(rows, metric) if metric else [],
    )


def _points(rows: list[Mapping[str, float]], name: str) -> Points:
    return sorted({int(row["step"]): row[name] for row in rows if name in row}.items())


def _smoothed(points: Points, span: float) -> Points:
    """Return means over the points that lie within half a span before and after."""
    smoothed: Points = []
    first = end = 0
    for step, _ in points:
        while points[first][0] < step - span / 2:
            first += 1
        while end < len(points) and points[end][0] <= step + span / 2:
            end += 1
        smoothed.append((step, fmean(value for _, value in points[first:end])))
    return smoothed


def _before(points: Points, step: int) -> float | None:
    """Return the number at a step, or at the last one before it."""
    return next((value for place, value in reversed(points) if place <= step), None)
