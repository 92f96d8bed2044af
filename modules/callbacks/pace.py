"""How long training lasts and how often it is validated, where nobody said."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...errors import InputError


class Pace(Callback):
    """Sets the trainer's epochs and its interval of validation once the size of the data is known.

    Few labelled examples want more epochs than many: three passes over a hundred rows are a dozen steps, and what
    passes for the instability of fine-tuning is often training that ended too soon (arXiv 2006.05987, 2006.04884).
    Long epochs want validations within them, or early stopping comes too late.

    Args:
        epochs: passes over the data; null leaves the trainer's own.
        min_steps: as many epochs more as make at least so many optimiser steps; only with `epochs`.
        validate_every: the most optimiser steps between two validations; null leaves the trainer's own interval.

    Raises:
        InputError: if one of them is below 1, or the fewest steps below 0.
    """

    FEWEST = 20
    """Validations of a run, at the least."""

    def __init__(
        self, epochs: int | None = None, min_steps: int | None = None, validate_every: int | None = None
    ) -> None:
        for name, value, least in (
            ("epochs", epochs, 1),
            ("min_steps", min_steps, 0),
            ("validate_every", validate_every, 1),
        ):
            if value is not None and value < least:
                raise InputError(f"pace.{name} is {value}; it must be at least {least}.")
        self.epochs = epochs
        self.min_steps = min_steps
        self.validate_every = validate_every

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        batches = self._batches(trainer) if stage == "fit" and not trainer.fast_dev_run else None  # type: ignore[attr-defined]
        if not batches:
            return
        steps = -(-batches // trainer.accumulate_grad_batches)
        if self.epochs is not None:
            epochs = max(self.epochs, -(-(self.min_steps or 0) // steps))
            if self.validate_every is not None and epochs // self.FEWEST > 1:
                trainer.check_val_every_n_epoch = every = min(epochs // self.FEWEST, -(-self.validate_every // steps))
                epochs = -(-epochs // every) * every  # so that the last step is validated
            if epochs > self.epochs:
                rank_zero_info(
                    f"An epoch has {steps} steps: {epochs} epochs instead of {self.epochs}, so that there are "
                    f"{self.min_steps} steps (pace.min_steps; trainer.max_epochs sets the epochs)."
                )
            trainer.fit_loop.max_epochs = epochs
        if self.validate_every is not None and steps > self.validate_every:
            times = -(-steps // self.validate_every)
            trainer.val_check_interval = batches // times
            rank_zero_info(f"An epoch has {steps:,} steps: {times} validations in each (pace.validate_every).")

    def _batches(self, trainer: Trainer) -> int | None:
        data: Any = getattr(trainer, "datamodule", None)
        try:
            found = len(data.train_dataloader())
        except (TypeError, AttributeError, NotImplementedError):
            return None
        limit = trainer.limit_train_batches
        return min(found, limit) if isinstance(limit, int) else int(found * limit)
