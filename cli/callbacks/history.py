"""What a run has logged so far, few numbers however long it is; and the curves that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ...contracts import module_facts

MOST_LOSSES = 2000
"""Of training losses, twice what a picture can show; then each is the mean of two, of four, ... steps."""
FEWEST_STEPS = 4
"""That a smoothed training loss spans."""
READ_EVERY = 64
"""Steps whose losses wait on the device, so that not every step has to wait for it."""
TRAIN, VALIDATION = "train/loss", "val/loss"

Points = list[tuple[int, float]]
"""Optimizer steps, each with a number."""


def loss_of_step(trainer: Trainer) -> Tensor | None:
    """Return the training loss of the step just taken, on its device; None where the module logs none."""
    if (loss := module_facts(trainer.lightning_module).last_loss) is not None:
        scalar: Tensor = loss
        return scalar
    metrics = trainer.callback_metrics
    return metrics.get(f"{TRAIN}_step", metrics.get(TRAIN))


class History:
    """Training losses by optimizer step, and what is measured now and then."""

    def __init__(self) -> None:
        self._losses: Points = []
        self._width = 1
        self._bucket: list[float] = []
        self._waiting: list[tuple[int, Tensor]] = []
        self._measured: list[dict[str, float]] = []

    def add_loss(self, step: int, loss: Tensor) -> None:
        """Add the training loss of a step."""
        self._waiting.append((step, loss.detach()))
        if len(self._waiting) >= READ_EVERY:
            self._read()

    def add(self, step: int, metrics: Mapping[str, Tensor | float]) -> None:
        """Add what was measured after a step, by name."""
        if metrics:
            self._measured.append({"step": step, **{name: float(value) for name, value in metrics.items()}})

    def rows(self) -> list[dict[str, float]]:
        """One for each step that anything is known of, as a log has them; `step` and metrics by name."""
        self._read()
        losses: list[dict[str, float]] = [{"step": step, TRAIN: loss} for step, loss in self._losses]
        return sorted(losses + self._measured, key=lambda row: row["step"])

    def _read(self) -> None:
        if not self._waiting:
            return
        values = torch.stack([loss.float().reshape(()) for _, loss in self._waiting]).tolist()
        for (step, _), value in zip(self._waiting, values, strict=True):
            self._bucket.append(value)
            if len(self._bucket) == self._width:
                self._losses.append((step, sum(self._bucket) / self._width))
                self._bucket = []
            if len(self._losses) == MOST_LOSSES:
                pairs = zip(self._losses[::2], self._losses[1::2], strict=True)
                self._losses = [(step, (first + second) / 2) for (_, first), (step, second) in pairs]
                self._width *= 2
        self._waiting = []

    def state_dict(self) -> dict[str, Any]:
        """Return plain data, for a checkpoint."""
        self._read()
        losses = [list(point) for point in self._losses]
        return {"losses": losses, "width": self._width, "bucket": self._bucket, "measured": self._measured}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._losses = [(step, loss) for step, loss in state["losses"]]
        self._width, self._waiting = state["width"], []
        self._bucket, self._measured = list(state["bucket"]), list(state["measured"])


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
