"""A module whose losses and scores are written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor
from torch.utils.data import DataLoader

STEPS = 4
"""Of an epoch."""


class Scripted(LightningModule):
    """Logs what it is told to.

    Args:
        train: losses, step by step.
        validation: losses, by epoch.
        accuracy: of validation, by epoch; the monitored metric.
        train_accuracy: by epoch.
    """

    monitor, mode = "val/accuracy", "max"

    def __init__(
        self,
        train: Sequence[float],
        validation: Sequence[float],
        accuracy: Sequence[float] = (),
        train_accuracy: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.script = (train, validation, accuracy, train_accuracy)
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        train, _, _, accuracy = self.script
        self.log("train/loss", train[self.global_step], prog_bar=True)
        if accuracy:
            self.log("train/accuracy", accuracy[self.current_epoch], on_step=False, on_epoch=True)
        return self.weight + 1.0

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        _, validation, accuracy, _ = self.script
        self.log("val/loss", validation[self.current_epoch])
        if accuracy:
            self.log("val/accuracy", accuracy[self.current_epoch])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


class Breaks(Callback):
    """Fails after some steps, before a checkpoint of them is written; not by Ctrl-C, which Lightning then switches off.

    Args:
        step: the first that is lost.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("broken off")


@pytest.fixture
def breaks() -> type[Breaks]:
    """The class above."""
    return Breaks


@pytest.fixture
def scripted() -> type[Scripted]:
    """The class above."""
    return Scripted


@pytest.fixture
def fit() -> Callable[..., Trainer]:
    """Trains a scripted module, four steps an epoch; returns the trainer."""

    def run(module: Scripted, *callbacks: Any, resume: str | None = None, **options: Any) -> Trainer:
        options = {"max_epochs": len(module.script[1]), "num_sanity_val_steps": 0, **options}
        batches = DataLoader(torch.utils.data.TensorDataset(torch.zeros(STEPS, 1)))
        trainer = Trainer(
            accelerator="cpu",
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            **options,
        )
        trainer.fit(module, batches, batches, ckpt_path=resume)
        return trainer

    return run
