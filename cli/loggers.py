"""Logs that a resumed or tested run goes on with, and that write nothing but metrics."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.loggers.logger import rank_zero_experiment
from typing_extensions import override

from ..storage.atomic_files import write_text
from .run_lock import shared_files


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
    """Adds rows to a table that another process may add to as well: `test` while `fit` goes on."""

    @override
    def _check_log_dir_exists(self) -> None:
        """Delete nothing of an earlier start."""

    @override
    def save(self) -> None:
        # Not ExperimentWriter.save: it writes hparams.yaml, and config.yaml says it all.
        if not self.metrics:
            return
        path = Path(self.metrics_file_path)
        with shared_files(path.parent):
            known = _header(path)
            names = sorted({*known, *(name for row in self.metrics for name in row)})
            if names != known or not _ends_a_line(path):
                self._widen(path, names)
            with path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, names).writerows(self.metrics)
        self.metrics = []

    def _widen(self, path: Path, names: list[str]) -> None:
        """Write the table anew with these columns, but for a row that a killed process did not write to its end."""
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        whole = text[: text.rfind("\n") + 1]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(csv.DictReader(io.StringIO(whole, newline="")))
        write_text(path, out.getvalue())


def forget_from(path: Path, step: int) -> None:
    """Take the rows of training out that a resumed run is about to write again; those of a test stay.

    Args:
        path: of the table.
        step: the first one that is trained again; rows count from 0.
    """
    if not path.is_file():
        return
    with shared_files(path.parent):
        names = _header(path)
        text = path.read_text(encoding="utf-8", errors="replace")
        rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline="")))
        kept = [row for row in rows if not _is_trained_again(row, step)]
        if len(kept) == len(rows):
            return
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
        write_text(path, out.getvalue())


def _is_trained_again(row: dict[str, str], step: int) -> bool:
    tested = any(value for name, value in row.items() if name and name.startswith("test/"))
    number = row.get("step") or ""
    return not tested and number.isdecimal() and int(number) >= step


def _header(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), [])


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) == b"\n"


class RunTensorBoardLogger(TensorBoardLogger):
    """Lightning's TensorBoard logger without its hparams.yaml: config.yaml says it all.

    It writes a file once there is a number to log, and only of training which hyperparameters it is of: each evaluation
    has a file of its own.

    Args:
        args: of Lightning's.
        trains: whether what is logged is of a training.
        options: of Lightning's.
    """

    def __init__(self, *args: Any, trains: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        self.trains = trains

    @property
    @override
    @rank_zero_experiment
    def experiment(self) -> Any:
        quiet_writers()
        return super().experiment

    @override
    def log_hyperparams(self, *args: Any, **options: Any) -> None:
        if self.trains:
            super().log_hyperparams(*args, **options)

    @override
    def save(self) -> None:
        if self._experiment is not None:
            self.experiment.flush()


def quiet_writers() -> None:
    """Have the threads that write TensorBoard's files end quietly where they cannot write.

    Who logs next is told of it by an exception, which says where; the thread would print it as well.
    """
    from tensorboard.summary.writer import event_file_writer

    thread: Any = event_file_writer._AsyncWriterThread
    usual = thread.run
    if getattr(usual, "quiet", False):
        return

    def run(self: Any) -> None:
        with suppress(OSError):  # kept as `self.exception`
            usual(self)

    run.quiet = True  # type: ignore[attr-defined]
    thread.run = run
