"""The validation that a stop broke off: a resumed run begins with it, even where nothing is left to train."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from typing_extensions import override

PROGRESS = "epoch_loop.val_loop.batch_progress"
"""The entry of a checkpoint's `fit_loop` for how far a validation came."""


def owe_validation(checkpoint: dict[str, Any]) -> None:
    """Makes of a checkpoint one that was taken as if the first batch of a validation had been interrupted."""
    progress = checkpoint["loops"]["fit_loop"][PROGRESS]
    done = progress["total"]["ready"] - progress["current"]["ready"]
    for count, base in ((progress["total"], done), (progress["current"], 0)):
        count.update(ready=base + 1, started=base + 1, processed=base, completed=base)
    progress["is_last_batch"] = False


def pay_validation(trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Has a run that goes on from such a checkpoint begin with that validation.

    Lightning does so where training goes on and the validation is one that its interval asks for. After the last step
    it would find that all is done, and what else asked for the validation (`Pace`) is not asked again.
    """
    count = checkpoint["loops"]["fit_loop"][PROGRESS]["total"]
    if count["started"] == count["ready"] == count["processed"] + 1 and count["completed"] == count["processed"]:
        trainer.fit_loop.__class__ = _FitLoopThatOwes
        trainer.fit_loop.epoch_loop.__class__ = _EpochLoopThatOwes


class _FitLoopThatOwes(_FitLoop):
    @property
    @override
    def done(self) -> bool:
        return not isinstance(self.epoch_loop, _EpochLoopThatOwes) and super().done


class _EpochLoopThatOwes(_TrainingEpochLoop):
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
