"""The validation that a stop broke off: a resumed run begins with it, even where nothing is left to train."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer

from ...modules.shortcuts.validation_first import validate_first

PROGRESS = "epoch_loop.val_loop.batch_progress"
"""The entry of a checkpoint's `fit_loop` for how far a validation came."""


def owe_validation(checkpoint: dict[str, Any]) -> None:
    """Make of a checkpoint one that was taken as if the first batch of a validation had been interrupted."""
    progress = checkpoint["loops"]["fit_loop"][PROGRESS]
    done = progress["total"]["ready"] - progress["current"]["ready"]
    for count, base in ((progress["total"], done), (progress["current"], 0)):
        count.update(ready=base + 1, started=base + 1, processed=base, completed=base)
    progress["is_last_batch"] = False


def pay_validation(trainer: Trainer, checkpoint: dict[str, Any]) -> None:
    """Have a run that goes on from such a checkpoint begin with that validation.

    Lightning does so where training goes on and the validation is one that its interval asks for. After the last step
    it would find that all is done, and what else asked for the validation (`Pace`) is not asked again.
    """
    count = checkpoint["loops"]["fit_loop"][PROGRESS]["total"]
    if count["started"] == count["ready"] == count["processed"] + 1 and count["completed"] == count["processed"]:
        validate_first(trainer)
