"""Training that is asked to stop, by a signal or a time limit: it saves, says how to go on, and ends."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed
from typing_extensions import override

from ...checkpoints import find_checkpoint, versions
from ...modules.callbacks.save_points import is_between_steps, validates_next
from ...modules.shortcuts.lightning_state import leave_signals_alone
from ..launch import is_launched
from ..run_lock import note_requeued
from ..slurm import SlurmJob
from ..stop_signals import SLURM_LIMIT, Interrupted, name_of, requests
from ..terminal import say
from .checkpoints import LastCheckpoint
from .owed_validation import owe_validation, pay_validation

REQUEUES = (signal.SIGUSR1, signal.SIGUSR2, SLURM_LIMIT)
"""After what a Slurm job starts again: its own warnings; not SIGTERM, which is how a user cancels one."""
BEFORE_LIMIT = 60.0
"""Seconds before the end of a Slurm job at which it is saved, beside twice what saving takes."""


class OrderlyStop(Checkpoint):
    """Stops training where a resumed run goes on exactly: after an optimizer step, or before a validation.

    All processes stop after the same step, whichever was asked: the requests are reduced over them after every step (an
    integer; Lightning broadcasts one, too). Under Slurm, a warning (`--signal=USR1@90`) or the end of the job's time
    has the job start again, and it goes on in its own run folder.

    It counts as a checkpoint callback, so that all others have seen the step when it saves.

    Args:
        folder: the run folder.
        last: saves; where there is None, training breaks off at once, as all else does.
    """

    def __init__(self, folder: str | Path, last: LastCheckpoint | None) -> None:
        self.folder = Path(folder)
        self.last = last
        self._slowest_save = 0.0
        self._requeued = False
        self._before_validation = False
        self._agreed_upon = False

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if signal.getsignal(signal.SIGTERM) == requests.handle:
            leave_signals_alone(trainer)
        requests.on_abort = lambda: _end_launched(trainer)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        requests.deferred = self.last is not None

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if is_between_steps(trainer) and not validates_next(trainer):
            self._stop_if_asked(trainer)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._break_off_validation(trainer)

    @override
    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        averages = any(isinstance(c, WeightAveraging) for c in trainer.callbacks)  # type: ignore[attr-defined]
        if trainer.world_size == 1 and not averages:  # processes may have different numbers of batches
            self._break_off_validation(trainer)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._trains(trainer):
            self._stop_if_asked(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        requests.deferred = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.last is not None and (reason := self._reason(trainer)) is not None and not self._requeued:
            self._stop(trainer, reason)

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self._before_validation:
            owe_validation(checkpoint)

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == "fit" and "loops" in checkpoint:
            pay_validation(trainer, checkpoint)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        requests.deferred = False
        if not self._agreed_upon:
            _end_launched(trainer)

    def _trains(self, trainer: Trainer) -> bool:
        return requests.deferred and trainer.state.fn == "fit" and not trainer.sanity_checking

    def _break_off_validation(self, trainer: Trainer) -> None:
        if self._trains(trainer):
            self._before_validation = True
            self._stop_if_asked(trainer)
            self._before_validation = False

    def _stop_if_asked(self, trainer: Trainer) -> None:
        reason = self._reason(trainer) if requests.deferred else None
        if reason is None:
            return
        began = time.monotonic()
        assert self.last is not None
        self.last.save(trainer)
        self._slowest_save = max(self._slowest_save, time.monotonic() - began)
        if not (reason in REQUEUES and self._requeue(trainer, reason)):
            self._stop(trainer, reason)

    def _reason(self, trainer: Trainer) -> int | None:
        """Return what any process was asked; every one must come here."""
        mine = requests.asked or (SLURM_LIMIT if self._is_nearly_over() else 0)
        if trainer.world_size > 1 and distributed.is_initialized():
            flag = torch.tensor(mine, device=trainer.strategy.root_device)
            distributed.all_reduce(flag, distributed.ReduceOp.MAX)
            mine = int(flag)
        return mine or None

    def _is_nearly_over(self) -> bool:
        job = SlurmJob.current()
        if job is None or job.ends is None or self._requeued:
            return False
        return time.time() > job.ends - BEFORE_LIMIT - 2 * self._slowest_save

    def _requeue(self, trainer: Trainer, reason: int) -> bool:
        """Have Slurm start the job again; it ends this process when it likes, which trains until then."""
        job = SlurmJob.current()
        if job is None or self._requeued:
            requests.asked = None if self._requeued else requests.asked
            return self._requeued
        failure = trainer.strategy.broadcast(job.requeue() if trainer.is_global_zero else None)
        if failure is None and trainer.is_global_zero:
            note_requeued(self.folder)
        if failure is not None:
            _say(trainer, f"Slurm would not start job {job.id} again: {failure}.")
            return False
        self._requeued, requests.asked = True, None
        _say(
            trainer,
            f"{name_of(reason)}: step {trainer.global_step:,} is saved in {self.last and self.last.path}, and Slurm "
            f"starts job {job.id} again, which goes on from there. Until Slurm ends it, this process trains on.",
        )
        return True

    def _stop(self, trainer: Trainer, reason: int) -> None:
        assert self.last is not None
        newest = next((run for run in reversed(versions(self.folder.parent)) if find_checkpoint(run, "last")), None)
        place = "last" if newest == self.folder else self.folder
        stop = Interrupted(
            reason,
            f"step {trainer.global_step:,} is saved in {self.last.path}; the same command with --ckpt_path {place} "
            "goes on from there",
        )
        stop.told = not trainer.is_global_zero
        if is_launched():  # or Lightning would kill the first process, which is not done
            stop.code = 0
        requests.deferred, self._agreed_upon = False, True
        raise stop


def _say(trainer: Trainer, text: str) -> None:
    if trainer.is_global_zero:
        say(text)


def _end_launched(trainer: Trainer) -> None:
    """End the processes that this one has launched: they wait for it, in calls that no signal interrupts."""
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        for process in launcher.procs:
            if process.poll() is None:
                process.kill()
