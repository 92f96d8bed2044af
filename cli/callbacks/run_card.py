"""The card of an export tells of its run: scores, curves, time and configuration, once they are known."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from typing_extensions import override

from ...text.visible import shown_path
from ..sharing.run_card import write_run_card


class RunCard(Callback):
    """Brings the model card of a run's export up to date when training has ended, and when the run is tested.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer, tell=True)

    def _write(self, trainer: Trainer, tell: bool = False) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        try:
            path = write_run_card(self.folder)
        except Exception as error:  # no card is worth a trained model
            rank_zero_warn(f"The model card of {self.folder} could not be brought up to date: {error}")
            return
        if tell and path is not None:
            rank_zero_info(f"Scores are in the model card: {shown_path(str(path))}")
