"""The mean of the weights of the last part of a run."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from typing_extensions import override

from ...errors import InputError, check_range


class EqualWeightAveraging(WeightAveraging):
    """Averages the weights after each of the last steps (SWA, arXiv 1803.05407), by Lightning's `WeightAveraging`.

    The averaged weights are validated, kept and exported. Unlike Lightning's `StochasticWeightAveraging` it leaves the
    learning rate alone, knows when the averages are best, and goes on after an interruption as if there had been none.

    Args:
        start: the optimizer step from which on they are averaged, or a share of the run when below 1; until then the
            average is the latest weights.
    """

    def __init__(self, start: float = 0.75) -> None:
        check_range("EqualWeightAveraging.start", start, least=0)
        super().__init__(multi_avg_fn=self._average)
        self.start = start
        self._first = math.inf

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._first = self.start
        if self.start < 1:
            steps = trainer.estimated_stepping_batches
            if math.isinf(steps):
                raise InputError(
                    f"EqualWeightAveraging.start is a share of the run ({self.start}), and nothing says how long that "
                    "is: set trainer.max_steps or trainer.max_epochs, or give a number of steps."
                )
            self._first = math.floor(self.start * steps)

    @torch.no_grad()
    def _average(self, averaged: Any, latest: Any, seen: Tensor) -> None:
        """Take the latest weights into the averages, in place; `seen` counts the steps before, at least one."""
        weight = 1 / max(1.0, float(seen) + 1 - self._first)
        for mean, new in zip(averaged, latest, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, weight)
            else:
                mean.copy_(new)
