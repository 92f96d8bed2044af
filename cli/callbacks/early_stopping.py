"""Early stopping that survives a resume and says what it needs."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from torch import Tensor
from typing_extensions import override

from ...contracts import module_facts
from ...errors import InputError


class EarlyStopping(LightningEarlyStopping):
    """Stops when the monitored metric has not improved for `patience` validations.

    Args:
        options: those of Lightning's `EarlyStopping`.

    Raises:
        InputError: if the patience is below 1, or validation does not log the metric.
    """

    follows_module = True
    """Its direction is that of the module's metric."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, check_on_train_epoch_end=False)
        if self.patience < 1:
            raise InputError(
                f"early_stopping.patience is {self.patience}; it must be at least 1. early_stopping: null switches "
                "early stopping off."
            )

    @override
    def on_sanity_check_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A misspelled metric is to be said now, not after hours. What callbacks measure may come with training alone.
        all_of_them = module_facts(pl_module).scores_all_before_training and any(trainer.num_sanity_val_batches)
        if all_of_them and self.monitor.startswith("val/"):
            self._validate_condition_metric(trainer.callback_metrics)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The decision to stop is not part of a checkpoint; a run killed right after it would train on.
        if self.wait_count >= self.patience:
            trainer.should_stop = True
            self.stopping_reason_message = (
                f"{self.monitor} had not improved in {self.wait_count} validations when the run was resumed."
            )

    @override
    def _evaluate_stopping_criteria(self, current: Tensor) -> tuple[bool, str | None]:
        should_stop, reason = super()._evaluate_stopping_criteria(current)
        if reason is not None:  # without the words of the library
            reason = reason.removeprefix("Monitored metric ").replace(" records", " validations")
            reason = reason.replace(" Signaling Trainer to stop.", "")
        return should_stop, reason

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        patience = self.patience  # Lightning would take the checkpoint's, whatever the user says now
        super().load_state_dict(state_dict)
        self.patience = patience

    @override
    def _validate_condition_metric(self, logs: dict[str, Any]) -> bool:
        if self.monitor not in logs:
            names = ", ".join(sorted(name for name in logs if name.startswith("val/"))) or "none"
            raise InputError(f"model.monitor is {self.monitor!r}, which validation does not log; it logs: {names}.")
        return super()._validate_condition_metric(logs)
