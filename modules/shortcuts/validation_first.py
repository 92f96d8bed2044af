"""A run that goes on from a checkpoint may begin with a validation, even where nothing is left to train.

Touches: the classes `_FitLoop` and `_TrainingEpochLoop` of Lightning 2.6, which a trainer's loops change for subclasses
until that validation is done: Lightning itself would find that all is done after the last step.
Off: only `OrderlyStop`, which the command line adds, asks for it, of a checkpoint within a validation.
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from typing_extensions import override


def validate_first(trainer: Trainer) -> None:
    """Have a trainer that is about to go on within an epoch begin with a validation.

    Args:
        trainer: whose loops have loaded their checkpoint, or are about to.
    """
    trainer.fit_loop.__class__ = _FitLoopThatOwes
    trainer.fit_loop.epoch_loop.__class__ = _EpochLoopThatOwes


class _FitLoopThatOwes(_FitLoop):
    """A loop over epochs that is not done before the validation is."""

    @property
    @override
    def done(self) -> bool:
        return not isinstance(self.epoch_loop, _EpochLoopThatOwes) and super().done


class _EpochLoopThatOwes(_TrainingEpochLoop):
    """A loop over batches that validates next, and is an ordinary one from then on."""

    @property
    @override
    def done(self) -> bool:
        return False

    @override
    def _should_check_val_fx(self, data_fetcher: Any) -> bool:
        return True

    @override
    def on_advance_end(self, data_fetcher: Any) -> None:
        super().on_advance_end(data_fetcher)
        self.__class__ = _TrainingEpochLoop  # type: ignore[assignment]  # it is paid
