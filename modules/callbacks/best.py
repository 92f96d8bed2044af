"""The weights that are kept: those of the best validation, and never such as are no numbers."""

from __future__ import annotations

from typing import Any

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
    """Lightning's `ModelCheckpoint` by the module's metric, in its direction, of finite weights, losses and scores.

    An accuracy is a number even where the outputs are none: the loss tells.

    Raises:
        InputError: at the end, if no validation gave a finite loss and score.
    """

    follows_module = True
    """Its direction is that of the module's metric."""
    refused = 0
    """How many validations were better but for numbers that are none."""

    @override
    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        if current is None or not super().check_monitor_top_k(trainer, current):
            return False
        measured = {str(self.monitor): current, **_losses(trainer)}
        wrong = [f"{name} is {float(value)}" for name, value in measured.items() if not torch.isfinite(value)]
        if not all_finite([trainer.lightning_module]):
            wrong.append("some of its weights are no numbers")
        if trainer.strategy.reduce_boolean_decision(not wrong, all=True):
            return True
        self.refused += 1
        what = wrong[0] if wrong else "some weights of another process are no numbers"
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
        self.refuse_in_vain()

    def refuse_in_vain(self) -> None:
        """Raises an `InputError` if there were validations, and none whose weights are worth keeping."""
        if self.refused and not self.best_model_path:
            raise InputError(
                f"No validation gave a finite loss and a finite {self.monitor}, so that no weights are worth keeping "
                "and nothing is exported: look at the validation data, and try a lower model.learning_rate."
            )

    @override
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "refused": self.refused}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.refused = state_dict.get("refused", 0)

    @override
    def _generate_state_key(self, **options: object) -> str:
        return f"{ModelCheckpoint.__qualname__}{options!r}"  # as checkpoints of earlier versions have it


def _losses(trainer: Trainer) -> dict[str, Tensor]:
    """What was just measured of losses, also those of other loaders."""
    metrics = trainer.callback_metrics.items()
    return {name: value for name, value in metrics if name.partition("/dataloader_idx_")[0] == "val/loss"}
