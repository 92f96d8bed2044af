"""Training that time limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Timer
from switched import fit, state  # type: ignore[import-not-found]

from pretune.modules import (
    Backbone,
    TextClassification,
)


class ClocksApart(Callback):
    """Gives each process a clock of its own, and notes the rates and the last weights."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        timer = next(callback for callback in trainer.callbacks if isinstance(callback, Timer))
        timer._offset = 30_000 * (1 + trainer.global_rank)  # type: ignore[assignment]

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        torch.save((self.rates, pl_module.progress(), state(pl_module)), f"{trainer.global_rank}.pt")


def test_processes_follow_one_clock(tokenizer: Any, tiny: dict[str, Any]) -> None:
    options: dict[str, Any] = {"optimizer": "sgd", "schedule": "linear", "warmup": 0.0, "learning_rate": 0.1}
    model = TextClassification(Backbone(config=tiny, dropout=0.0), labels=["a", "b", "c"], **options)
    model.tokenizer = tokenizer
    limit = timedelta(seconds=100_000)
    fit(model, 4, ClocksApart(), max_time=limit, devices=2, strategy="ddp_fork")
    (rates, progress, weights), (others, progress_there, theirs) = torch.load("0.pt"), torch.load("1.pt")
    # After 0.3 of the time, which is more than no step or one of four, and less than two.
    assert rates == pytest.approx([0.07, 0.07, 0.05, 0.025], abs=1e-3)
    assert others == rates
    assert progress_there == progress
    assert all(torch.equal(weight, theirs[name]) for name, weight in weights.items())
