"""What a run came to, in the log and in `summary.json`: whether it is finished, why it stopped, its scores."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from typing_extensions import override

from ...contracts import module_facts
from ...errors import first_line
from ...modules.callbacks.rollback import Rollback
from ...modules.callbacks.summary import Summary
from ...storage.atomic_files import write_text
from ..loggers import forget_from
from ..run_files import TESTED
from ..run_lock import shared_files
from ..stop_signals import Interrupted
from .curves import LearningCurves
from .nothing_learned import nothing_learned
from .scored import said_of, scored
from .stopping import stopping_reason

MOST_APPENDED = 600
"""Entries of a list in `summary.json`; the latest are kept."""


class RunReport(Summary):
    """Logs each validation in a line and writes `summary.json`.

    `fit.status` there is `running`, `finished`, `interrupted` (a signal, a time limit) or `failed`; a run that says
    `running` and is not locked was killed.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / "summary.json"
        self._started = time.monotonic()
        self._fits = False
        self._resumed: dict[str, Any] | None = None
        self._scored: dict[str, Any] = {}
        self._tells = True

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for name, loop in (("test", trainer.test_loop), ("validate", trainer.validate_loop)):
            if stage == name:
                self._tells, loop.verbose = loop.verbose, False  # a line of ours takes the place of Lightning's table

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started, self._fits = time.monotonic(), not trainer.fast_dev_run  # type: ignore[attr-defined]
        if self._fits:
            self.add(trainer, "fit", {"status": "running"})

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._fits and trainer.global_step and trainer.is_global_zero:
            forget_from(self.path.with_name("metrics.csv"), trainer.global_step)

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        resumed = module_facts(pl_module).resumed  # known now: modules go on after callbacks have started
        if resumed is not None and resumed is not self._resumed:
            self._resumed = resumed
            self.forget_test(trainer, "the run goes on")
            self.add(trainer, "resumed", [*self.read().get("resumed", []), resumed])

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        scores = _numbers(trainer, "val/")
        if trainer.state.fn != "fit":
            if self._tells:
                rank_zero_info(_named(scores))
            return
        if trainer.sanity_checking and not self._whole(trainer):
            return
        when = "before training" if trainer.sanity_checking else f"epoch {trainer.current_epoch + 1}"
        rank_zero_info(f"step {trainer.global_step:,}, {when}: validation {_shown(scores)}")
        if trainer.sanity_checking:
            self.add(trainer, "before", scores)
            for logger in trainer.loggers:  # Lightning logs nothing of this pass
                logger.log_metrics({**scores, "epoch": 0}, step=0)

    def _whole(self, trainer: Trainer) -> bool:
        """Return whether the pass before training sees the whole validation set."""
        return list(trainer.num_sanity_val_batches) == list(trainer.num_val_batches)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = trainer.checkpoint_callback
        score = getattr(best, "best_model_score", None)
        reason = stopping_reason(trainer)
        curves = next((c for c in trainer.callbacks if isinstance(c, LearningCurves)), None)  # type: ignore[attr-defined]
        rank_zero_info(f"Training stopped: {reason}")
        if in_vain := nothing_learned(trainer, pl_module, self.read().get("before", {})):
            rank_zero_warn(in_vain)
        self.add(
            trainer,
            "fit",
            {
                "status": "finished",
                "stopped": reason,
                "steps": trainer.global_step,
                "epochs": trainer.current_epoch,
                "seconds": round(time.monotonic() - self._started, 1),
                "monitor": module_facts(pl_module).monitor,
                "mode": getattr(best, "mode", None),
                "best": float(score) if score is not None else None,
                **({"nothing_learned": in_vain} if in_vain else {}),
                **(curves.kept(trainer, pl_module) if curves is not None else {}),
                **_troubles(trainer, pl_module),
            },
        )

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if not self._fits:
            return
        asked = isinstance(exception, Interrupted)
        why = str(exception) if asked else f"{type(exception).__name__}: {first_line(exception)}"
        entry = {"status": "interrupted" if asked else "failed", "stopped": f"{why} at step {trainer.global_step:,}."}
        seconds = round(time.monotonic() - self._started, 1)
        try:
            steps = {"steps": trainer.global_step, "seconds": seconds}
            self.add(trainer, "fit", {**entry, **steps, **_troubles(trainer, pl_module)})
        except OSError as error:  # the disk is full, perhaps, which `exception` says already
            rank_zero_info(f"{self.path} could not be written: {error}")

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._scored = scored(trainer)  # now: a run that goes on may have other weights there when the test is done

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        details = module_facts(pl_module).details()
        scores = _numbers(trainer, "test/")
        if self._tells:
            rank_zero_info(_named(scores))
        self.add(trainer, "test", {**scores, "scored": self._scored, **details})

    def forget_test(self, trainer: Trainer, why: str) -> None:
        """Take the scores of a test out that are of other weights than those the run now comes to."""
        if not trainer.is_global_zero or (test := self.read().get("test")) is None:
            return
        with shared_files(self.path.parent):
            rest = {key: content for key, content in self.read().items() if key not in ("test", "test_rows")}
            write_text(self.path, json.dumps(rest, indent=2) + "\n")
            self.path.with_name(TESTED).unlink(missing_ok=True)
        rank_zero_info(f"The scores of the test{said_of(test)} are taken out of {self.path}: {why}. Test again then.")

    def add(self, trainer: Trainer, key: str, content: dict[str, Any] | list[Any]) -> None:
        """Add an entry to `summary.json`; a trial run keeps nothing."""
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        with shared_files(self.path.parent):
            entries = without_non_finite({**self.read(), key: content})
            write_text(self.path, json.dumps(entries, indent=2, allow_nan=False) + "\n")

    @override
    def append(self, trainer: Trainer, key: str, entries: list[dict[str, Any]]) -> None:
        """Add entries to a list of `summary.json`, of which those of later steps, trained again, are forgotten."""
        if not trainer.is_global_zero:
            return
        before = self.read().get(key)
        earlier = [e for e in before if e["step"] < entries[0]["step"]] if isinstance(before, list) else []
        self.add(trainer, key, [*earlier, *entries][-MOST_APPENDED:])

    def read(self) -> dict[str, Any]:
        """Return what `summary.json` holds so far."""
        if not self.path.is_file():
            return {}
        try:
            summary = json.loads(self.path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            summary = None
        if isinstance(summary, dict):
            return summary
        rank_zero_warn(f"{self.path} is damaged: it is written anew, without what it told of before.")
        return {}


def _troubles(trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
    """Steps that were left out as their numbers were none, jumps of the loss, and goings back; where there are such."""
    if (guard := module_facts(pl_module).guard) is None:
        return {}
    rollbacks = [one for c in trainer.callbacks if isinstance(c, Rollback) for one in c.done]  # type: ignore[attr-defined]
    troubles = {"left_out": guard.left_out, "loss_jumps": guard.spikes.noted, "rollbacks": rollbacks}
    return {name: value for name, value in troubles.items() if value}


def without_non_finite(value: Any) -> Any:
    """Return plain data with null in the place of NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {key: without_non_finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_non_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(scores: dict[str, float]) -> str:
    return ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in scores.items())


def _named(scores: dict[str, float]) -> str:
    """Return scores by the names that they have everywhere, which scripts look for in what `test` prints."""
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())


def _numbers(trainer: Trainer, prefix: str) -> dict[str, float]:
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(prefix)}
