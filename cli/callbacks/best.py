"""The weights that are kept: those of the best validation, and never such as are no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from typing_extensions import override

from ...errors import InputError
from ...modules.optimization.guard import all_finite
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
        """Raise an `InputError` if there were validations, and none whose weights are worth keeping."""
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
        """Take what was kept along where the run's folder was moved, renamed or copied; Lightning would forget it."""
        before = state_dict.get("dirpath")
        if before and self.dirpath and Path(before) != Path(self.dirpath):
            kept = {name: self._here(name) for name in (state_dict["best_model_path"], *state_dict["best_k_models"])}
            if all(Path(path).is_file() for path in kept.values()):
                state_dict = {
                    **state_dict,
                    "dirpath": self.dirpath,
                    "best_model_path": kept[state_dict["best_model_path"]],
                    "kth_best_model_path": self._here(state_dict["kth_best_model_path"]),
                    "last_model_path": self._here(state_dict["last_model_path"]),
                    "best_k_models": {kept[name]: score for name, score in state_dict["best_k_models"].items()},
                }
        super().load_state_dict(state_dict)
        self.refused = state_dict.get("refused", 0)

    def _here(self, path: str) -> str:
        """Return a file of the folder that was, in the folder that is."""
        return str(Path(self.dirpath or "", Path(path).name)) if path else path

    @override
    def _generate_state_key(self, **options: object) -> str:
        return f"{ModelCheckpoint.__qualname__}{options!r}"  # as checkpoints of earlier versions have it


def _losses(trainer: Trainer) -> dict[str, Tensor]:
    """Return what was just measured of losses, also those of other loaders."""
    metrics = trainer.callback_metrics.items()
    return {name: value for name, value in metrics if name.partition("/dataloader_idx_")[0] == "val/loss"}
