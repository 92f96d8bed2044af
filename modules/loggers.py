"""Logs that a resumed or tested run goes on with, and that write nothing but metrics."""

from __future__ import annotations

import csv
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment
from typing_extensions import override


class RunCSVLogger(CSVLogger):
    """Lightning's CSV logger, which would delete the rows of an earlier start in the same folder."""

    @property
    @override
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._experiment = _Appending(log_dir=self.log_dir)
        return self._experiment


class _Appending(ExperimentWriter):
    @override
    def _check_log_dir_exists(self) -> None:
        if self._fs.isfile(self.metrics_file_path):
            with self._fs.open(self.metrics_file_path, "r", newline="") as file:
                self.metrics_keys = next(csv.reader(file), [])

    @override
    def save(self) -> None:
        # Not ExperimentWriter.save: it writes hparams.yaml, and config.yaml says it all.
        super(ExperimentWriter, self).save()


class RunTensorBoardLogger(TensorBoardLogger):
    """Lightning's TensorBoard logger without its hparams.yaml: config.yaml says it all."""

    @override
    def save(self) -> None:
        self.experiment.flush()
