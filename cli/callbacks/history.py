"""What a run has logged so far, few numbers however long it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ...contracts import module_facts
from ..learning_curves import TRAIN, Points

MOST_LOSSES = 2000
"""Of training losses, twice what a picture can show; then each is the mean of two, of four, ... steps."""
READ_EVERY = 64
"""Steps whose losses wait on the device, so that not every step has to wait for it."""


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
