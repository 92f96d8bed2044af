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
from ..layers.guard import all_finite


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
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if self._refused and not self.best_model_path:
            raise InputError(
                f"No validation gave a finite {self.monitor}, so that no weights are worth keeping: look at the "
                "validation data, and try a lower model.learning_rate."
            )

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what was kept along where the run's folder was moved, renamed or copied; Lightning would forget it."""
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

    def _here(self, path: str) -> str:
        """A file of the folder that was, in the folder that is."""
        return str(Path(self.dirpath or "", Path(path).name)) if path else path

    @override
    def _generate_state_key(self, **options: object) -> str:
        return f"{ModelCheckpoint.__qualname__}{options!r}"  # as checkpoints of earlier versions have it
