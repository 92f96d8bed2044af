"""Where a run can be saved so that it goes on exactly, and who saves it."""

from __future__ import annotations

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint


class SavesOnRequest(Checkpoint):
    """Saves a checkpoint to go on from, also when another callback asks for one."""

    is_asked: bool = False
    """Whether to save as soon as that can be resumed from, however long ago the latest one was."""


def is_between_steps(trainer: Trainer) -> bool:
    """Return whether a batch that just ended was the last of its optimizer step."""
    return not trainer.fit_loop.epoch_loop._should_accumulate()


def validates_next(trainer: Trainer) -> bool:
    """Return whether a validation follows the batch that just ended."""
    loop = trainer.fit_loop.epoch_loop
    return bool(sum(trainer.num_val_batches) and loop._should_check_val_fx(trainer.fit_loop._data_fetcher))  # type: ignore
