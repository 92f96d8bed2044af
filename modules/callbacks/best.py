"""The weights that are kept: those of the best validation, and never such as are no numbers."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from typing_extensions import override

from ...errors import InputError
from ..layers.guard import all_finite
from .report import RunReport


class BestCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint` by the module's metric, in its direction, of finite weights and scores alone.

    Raises:
        InputError: at the end, if no validation gave a finite score.
    """

    follows_module = True
    """Its direction is that of the module's metric."""
    _refused = 0

    @override
    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        if current is None or not super().check_monitor_top_k(trainer, current):
            return False
        score, weights = bool(torch.isfinite(current)), all_finite([trainer.lightning_module])
        if trainer.strategy.reduce_boolean_decision(score and weights, all=True):
            return True
        self._refused += 1
        what = f"{self.monitor} is {float(current)}" if not score else "some of its weights are no numbers"
        rank_zero_warn(f"Step {trainer.global_step:,} is not kept as the best: {what}.")
        return False

    @override
    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, RunReport):  # before: a run that is killed in between has no score of others
                callback.forget_test(trainer, f"other weights are the best, those of step {trainer.global_step:,}")
        super()._save_checkpoint(trainer, filepath)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if self._refused and not self.best_model_path:
            raise InputError(
                f"No validation gave a finite {self.monitor}, so that no weights are worth keeping: look at the "
                "validation data, and try a lower model.learning_rate."
            )

    @override
    def _generate_state_key(self, **options: object) -> str:
        return f"{ModelCheckpoint.__qualname__}{options!r}"  # as checkpoints of earlier versions have it
