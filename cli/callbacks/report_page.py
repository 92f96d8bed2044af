"""The page about a run, written when it ends and when it is tested."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from typing_extensions import override

from ...contracts import data_facts
from ...modules.callbacks.summary import add_to_summary
from ...modules.setting import setting
from ...text.visible import shown_path
from ..costs.data_sizes import data_sizes
from ..costs.energy import EnergyMeter


class ReportPage(Callback):
    """Writes `report.html`, and puts into `summary.json` what it tells of machine, versions, energy and data.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._meter = EnergyMeter()

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.fast_dev_run and trainer.is_global_zero:  # type: ignore[attr-defined]
            self._meter.start()
            add_to_summary(trainer, "setting", setting(trainer))

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.fast_dev_run and trainer.is_global_zero:  # type: ignore[attr-defined]
            add_to_summary(trainer, "data", data_sizes(data_facts(trainer.datamodule)))  # type: ignore[attr-defined]

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (energy := self._meter.stop()) is not None:
            add_to_summary(trainer, "energy", energy)
        self._write(trainer)

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:
            logger.save()  # the last numbers, too
        try:
            from ..reporting import Run  # here: a run that ends has the time, one that starts has not

            path = Run(self.folder).report().save()
            rank_zero_info(f"Report: {shown_path(str(path))}")
        except Exception as error:  # no page is worth a trained model
            rank_zero_warn(f"{self.folder / 'report.html'} could not be written: {error}")
