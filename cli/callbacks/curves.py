"""Whether a run overfits, seen at a glance: training and validation over the steps, in `curves.png` and in the log."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, StochasticWeightAveraging
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from typing_extensions import override

from ...checkpoints import read_checkpoint
from ...contracts import module_facts
from ..learning_curves import TRAIN, VALIDATION, Curves, curves
from ..stop_signals import Interrupted
from .history import History, loss_of_step
from .plots import draw_curves
from .stopping import stopping_reason


class LearningCurves(Callback):
    """Draws `curves.png` while a run trains and when it ends or breaks off, and says in the log what was kept.

    The picture shows the training loss (of steps, and smoothed), the validation loss, the gap between the two, the
    monitored metric on both sides where both are measured, the step whose weights are kept and why training stopped.
    What it shows is part of a checkpoint, so that a resumed run goes on with it. Label smoothing, R-Drop and dropout
    are in the training loss and not in that of validation: they move the gap, which then may be below 0.

    Args:
        folder: the run folder.
        every_n_seconds: at least so long between two pictures while training, which take 0.2 s each.
    """

    def __init__(self, folder: str | Path, every_n_seconds: float = 30.0) -> None:
        self.path = Path(folder) / "curves.png"
        self.every_n_seconds = every_n_seconds
        self.history = History()
        self._step = 0
        self._drawn_at = time.monotonic()

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.history, self._drawn_at = History(), time.monotonic()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = trainer.global_step

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # in the middle of an accumulation window
        self._step = trainer.global_step
        if (loss := loss_of_step(trainer)) is not None:
            self.history.add_loss(self._step, loss)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        name = (_monitor(pl_module) or "").replace("val/", "train/", 1)
        metrics = trainer.callback_metrics  # by every process: it brings their parts together
        if name in metrics and name != TRAIN:
            self.history.add(trainer.global_step, {name: metrics[name]})

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or (trainer.sanity_checking and not _whole(trainer)):
            return
        metrics = trainer.callback_metrics
        names = [name for name in (VALIDATION, _monitor(pl_module)) if name in metrics]
        self.history.add(trainer.global_step, {str(name): metrics[str(name)] for name in names})
        if time.monotonic() - self._drawn_at > self.every_n_seconds:
            self._draw(trainer, pl_module, f"in training, step {trainer.global_step:,}")

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if sentence := self._draw(trainer, pl_module, f"stopped: {stopping_reason(trainer)}"):
            rank_zero_info(sentence)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if trainer.state.fn == "fit":
            why = str(exception) if isinstance(exception, Interrupted) else type(exception).__name__
            self._draw(trainer, pl_module, f"broke off at step {trainer.global_step:,} ({why})")

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.history.state_dict()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.load_state_dict(state_dict)

    def kept(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return what the summary of a run says: step, losses, gap and metric of the weights kept, and at the end."""
        return _summary(curves(self.history.rows(), _monitor(pl_module)), _kept_step(trainer))

    def _draw(self, trainer: Trainer, pl_module: LightningModule, state: str) -> str:
        """Draws, and returns what the log says."""
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return ""
        measured = curves(self.history.rows(), _monitor(pl_module))
        if not measured.losses and not measured.validation:
            return ""
        kept = _kept_step(trainer)
        sentence = _sentence(_summary(measured, kept), measured.metric)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draw_curves(measured, self.path, f"{self.path.parent} - {state}", sentence, kept)
        except Exception as error:  # no picture is worth a trained model
            rank_zero_warn(f"{self.path} could not be drawn: {error}")
        self._drawn_at = time.monotonic()
        return sentence


def _whole(trainer: Trainer) -> bool:
    """Return whether the pass before training sees the whole validation set: how good the untrained model is."""
    return list(trainer.num_sanity_val_batches) == list(trainer.num_val_batches)


def _monitor(pl_module: LightningModule) -> str | None:
    return module_facts(pl_module).monitor


def _kept_step(trainer: Trainer) -> int | None:
    """Return the step of the best weights, as their checkpoint says; None without one, or where an average is kept."""
    if any(isinstance(c, StochasticWeightAveraging) and c._initialized for c in trainer.callbacks):  # type: ignore[attr-defined]
        return None
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.monitor and Path(callback.best_model_path).is_file():
            return int(read_checkpoint(callback.best_model_path, whole=False)["global_step"])
    return None


def _summary(measured: Curves, kept: int | None) -> dict[str, Any]:
    ends = {"last": measured.validation[-1][0]} if measured.validation else {}
    steps = {**({"kept": kept} if kept is not None else {}), **ends}
    return {name: {"step": step, **measured.at(step)} for name, step in steps.items()}


def _sentence(summary: dict[str, Any], metric: str | None) -> str:
    """Return what was kept in words; empty where nothing was validated."""
    last = summary.get("last")
    if last is None:
        return ""
    if "kept" not in summary:
        score = f"{metric} {last[metric]:.4f}, " if metric in last else ""
        last_one = f"step {last['step']:,} ({score}validation loss {last[VALIDATION]:.4f})"
        return f"No validation saw the weights that are kept; the last one was of {last_one}."
    kept = summary["kept"]
    score = f" ({metric} {kept[metric]:.4f})" if metric in kept else ""
    at_last = kept["step"] == last["step"]
    words = f"Kept step {kept['step']:,}{', the last validation' if at_last else ''}{score}"
    if VALIDATION in kept and TRAIN in kept:
        words += f"; train loss {kept[TRAIN]:.4f}, validation loss {kept[VALIDATION]:.4f} there: gap {kept['gap']:.4f}"
    if not at_last and VALIDATION in last and TRAIN in last:
        words += f"; at the end {last[TRAIN]:.4f} and {last[VALIDATION]:.4f}"
    return f"{words}."
