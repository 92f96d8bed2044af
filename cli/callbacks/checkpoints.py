"""Checkpoints that are whole or not there, taken where a run can be resumed exactly."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO
from typing_extensions import override

from ...modules.callbacks.save_points import SavesOnRequest, is_between_steps, validates_next
from ...storage.atomic_files import sync_folder

NEARLY_FULL = 1 << 20
"""Free bytes below which a disk is called full, where torch does not say why it could not write."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint under a temporary name, flushes it to the disk, and renames it.

    Lightning's own writes into memory first, which doubles the memory of a large model.
    """

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(target.name + ".tmp")
        try:
            with unfinished.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(target)
            sync_folder(target.parent)
        except (OSError, RuntimeError) as error:
            full = shutil.disk_usage(target.parent).free < NEARLY_FULL
            number = getattr(error, "errno", None) or (errno.ENOSPC if full else errno.EIO)
            why = os.strerror(number) if full else str(error)
            raise OSError(number, f"The checkpoint {target} could not be written: {why}") from error
        finally:
            unfinished.unlink(missing_ok=True)


class LastCheckpoint(SavesOnRequest):
    """Keeps `last.ckpt`, from which a killed run goes on as if it had not been killed.

    Saved after each validation, at the end of an epoch, at the end of training, and every so often in between; never
    between a batch and the validation that follows it, which a resumed run would skip.

    Args:
        folder: where `last.ckpt` lies.
        every_n_minutes: minutes between two checkpoints; null switches this off.
        every_n_steps: optimizer steps between two; null switches this off.
    """

    def __init__(
        self, folder: str | Path, every_n_minutes: float | None = 5.0, every_n_steps: int | None = None
    ) -> None:
        self.path = Path(folder) / "last.ckpt"
        self.every_n_minutes = every_n_minutes
        self.every_n_steps = every_n_steps
        self._saved_at = time.monotonic()
        self._saved_step = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_at = time.monotonic()
        self._saved_step = trainer.global_step

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        ends = trainer.is_last_batch or trainer.global_step == trainer.max_steps
        if is_between_steps(trainer) and not validates_next(trainer) and (ends or self._due(trainer.global_step)):
            self.save(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.save(trainer)

    def _due(self, step: int) -> bool:
        if self.is_asked:
            return True
        if self.every_n_steps is not None and step - self._saved_step >= self.every_n_steps:
            return True
        if self.every_n_minutes is None:
            return False
        return time.monotonic() - self._saved_at >= 60 * self.every_n_minutes

    def save(self, trainer: Trainer) -> None:
        """Save now; all processes must come here."""
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:  # rows of before the checkpoint are not trained again, and so not told again
            logger.save()
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_at = time.monotonic()
        self._saved_step, self.is_asked = trainer.global_step, False
