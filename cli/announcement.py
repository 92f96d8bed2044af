"""The first line of a training: where it writes, what it runs on, and how it computes."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from .callbacks import RunReport


def announce(trainer: Trainer, folder: Path) -> None:
    """Log where a training writes, and on what and in which precision it runs.

    Nothing is logged of a training that only measures and leaves no report.

    Args:
        trainer: as it is set up.
        folder: of the run.
    """
    if trainer.fast_dev_run or not any(isinstance(callback, RunReport) for callback in trainer.callbacks):  # type: ignore[attr-defined]
        return
    device = type(trainer.accelerator).__name__.removesuffix("Accelerator")
    devices = f"{trainer.world_size} x {device}" if trainer.world_size > 1 else device
    rank_zero_info(f"Training in {folder} on {devices}, precision {trainer.precision}.")
