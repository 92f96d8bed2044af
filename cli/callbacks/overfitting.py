"""Warnings for the two signs of memorizing: validation gets worse as training gets better; nothing is left to learn."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from typing_extensions import override

from ...contracts import module_facts
from ...errors import check_range
from ..learning_curves import VALIDATION
from .history import loss_of_step

ADVISED = "few_labels"
"""The recipe against memorizing."""
PERFECT = ("accuracy", "f1", "exact_match")
"""Scores that are 1 when everything is right; the first that a module measures is looked at."""


class OverfittingWarnings(Callback):
    """Warns when a run memorizes its training data, each sign once a run.

    One is a validation loss that rises while the training loss falls; the other an epoch whose training examples were
    all right, while those of validation are not.

    Args:
        validations: how often in a row the validation loss must rise.
        recipe: that is in use, and need not be recommended.
    """

    def __init__(self, validations: int = 3, recipe: str | None = None) -> None:
        check_range("OverfittingWarnings.validations", validations, least=1)
        self.validations, self.recipe = validations, recipe
        self._losses: list[list[float]] = []
        """Of the last validations: step, mean training loss since the one before, validation loss, monitored metric."""
        self._said: list[str] = []
        self._step = 0
        self._sum: Tensor | None = None
        self._count = 0
        self._whole_epoch, self._epoch_began = False, 0

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self._losses, self._said, self._sum, self._count = [], [], None, 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step, self._whole_epoch = trainer.global_step, False

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not called where a run is resumed in the middle of an epoch, whose beginning the metrics then do not know.
        self._whole_epoch, self._epoch_began = True, trainer.global_step

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        if (loss := loss_of_step(trainer)) is not None:
            self._sum = loss.detach() if self._sum is None else self._sum + loss.detach()
            self._count += 1

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        if trainer.state.fn != "fit" or trainer.sanity_checking or VALIDATION not in metrics or self._sum is None:
            return
        monitor = module_facts(pl_module).monitor or VALIDATION
        score = float(metrics.get(monitor, float("nan")))
        self._losses.append([trainer.global_step, float(self._sum) / self._count, float(metrics[VALIDATION]), score])
        self._sum, self._count = None, 0
        self._losses = self._losses[-self.validations - 1 :]
        validation = [row[2] for row in self._losses]
        rises = all(a < b for a, b in pairwise(validation))
        (first, train_before, before, old), (last, train_after, after, new) = self._losses[0], self._losses[-1]
        if len(self._losses) > self.validations and rises and train_after < train_before:
            meanwhile = "" if monitor == VALIDATION else f" Meanwhile {monitor} went from {old:.4f} to {new:.4f}."
            self._say(
                "rising",
                f"Overfitting: the validation loss rose from {before:.4f} (step {first:,.0f}) to {after:.4f} (step "
                f"{last:,.0f}) over {self.validations} validations in a row, while the training loss fell from "
                f"{train_before:.4f} to {train_after:.4f}.{meanwhile}",
                trainer,
            )

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics  # by every process: it brings their parts together
        whole = self._whole_epoch and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        self._whole_epoch = False
        name = next((n for n in PERFECT if f"train/{n}" in metrics and f"val/{n}" in metrics), None)
        if not whole or name is None or trainer.sanity_checking:
            return
        train, validation = float(metrics[f"train/{name}"]), float(metrics[f"val/{name}"])
        if train >= 1 and validation < 1:
            self._say(
                "perfect",
                f"The training {name} of epoch {trainer.current_epoch} (steps {self._epoch_began + 1:,} to "
                f"{trainer.global_step:,}) is 100%, that of validation {validation:.1%}: the training data are "
                "learned by heart, and more steps can only fit them closer.",
                trainer,
            )

    def _say(self, kind: str, seen: str, trainer: Trainer) -> None:
        if kind in self._said:
            return
        self._said.append(kind)
        stops = "Early stopping keeps the best weights" if trainer.early_stopping_callbacks else "Set early_stopping"
        known = [] if self.recipe == ADVISED else [f"recipe: {ADVISED}"]
        cures = ["more dropout (model.backbone.dropout)", *known, "fewer epochs (trainer.max_epochs), or more data"]
        rank_zero_warn(f"{seen} {stops}; what may help: {', '.join(cures)}.")

    @override
    def state_dict(self) -> dict[str, Any]:
        total = float(self._sum) if self._sum is not None else None
        return {"losses": self._losses, "said": self._said, "sum": total, "count": self._count}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._losses, self._said = list(state_dict["losses"]), list(state_dict["said"])
        self._count = state_dict["count"]
        self._sum = None if state_dict["sum"] is None else torch.tensor(state_dict["sum"])
