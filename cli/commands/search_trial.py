"""One trial of a search: an ordinary `fit`, stopped early where it falls behind the others."""

from __future__ import annotations

import gc
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from typing_extensions import override

from ...checkpoints import versions
from ...errors import InputError, input_error
from ..callbacks import ExportBest, LastCheckpoint, LearningCurves
from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from ..terminal import say
from .search_report import short


class TrialCLI(PretuneCLI):
    """A `fit` that reports to a trial, and leaves neither an export nor a checkpoint to resume from."""

    trial: Any = None

    @override
    def _callbacks(self) -> list[Callback]:
        unwanted = (ExportBest, LastCheckpoint, LearningCurves)
        return [c for c in super()._callbacks() if not isinstance(c, unwanted)] + [ReportToTrial(self.trial)]


class NothingToChooseBy(InputError):
    """What is wrong with every trial of a search."""


class ReportToTrial(Callback):
    """Tell a trial each validation's score, and ends a run that falls behind.

    Args:
        trial: of Optuna.
    """

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not sum(trainer.num_val_batches):
            raise NothingToChooseBy(
                "tune chooses by validation, and there is none: set data.validation_files, or a "
                "data.validation_fraction above 0."
            )

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        module: Any = pl_module
        if module.monitor not in trainer.callback_metrics:
            return
        score = float(trainer.callback_metrics[module.monitor])
        self.trial.report(score if module.mode == "max" else -score, trainer.global_step)
        if self.trial.should_prune():
            import optuna

            raise optuna.TrialPruned(f"behind the median after step {trainer.global_step}")


def run_trial(
    study: Any, trial: Any, values: dict[str, Any], root: Path, args: Sequence[str], where_it_stands: str
) -> None:
    """Train with the values, and tell the study how it went.

    Args:
        study: of Optuna.
        trial: of the study.
        values: by dotted option.
        root: the folder of the search.
        args: the other options of `fit`.
        where_it_stands: which of how many it is, and how long those that are left will take.

    Raises:
        NothingToChooseBy: if no trial could be compared with another.
    """
    import optuna

    home = root / f"trial_{trial.number}"
    options = [f"--{name}={json.dumps(value)}" for name, value in values.items()]
    where = [f"--trainer.default_root_dir={root}", f"--name={home.name}"]
    tried = ", ".join(f"{name} {short(value)}" for name, value in values.items())
    say(f"\nTrial {trial.number} ({where_it_stands}): {tried}")
    gc.collect()  # a model is part of cycles: the one before would still hold memory of the device
    TrialCLI.trial = trial
    state, score, why = optuna.trial.TrialState.FAIL, None, ""
    try:
        cli = TrialCLI(with_recipe(["fit", *args, *options, *where]))
        best = next(c for c in cli.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint) and c.monitor)
        if best.best_model_score is None:
            raise InputError("No trial reached a validation, so there is nothing to choose by: train longer.")
        score = float(best.best_model_score)
        trial.set_user_attr("score", score)
        trial.set_user_attr("monitor", best.monitor)
        trial.set_user_attr("mode", cli.model.mode)
        state = optuna.trial.TrialState.COMPLETE if math.isfinite(score) else state
        why = "" if math.isfinite(score) else f"{best.monitor} is not a number"
        score = score if cli.model.mode == "max" else -score
    except optuna.TrialPruned as error:
        state, why = optuna.trial.TrialState.PRUNED, str(error)
    except NothingToChooseBy:
        raise
    except Exception as error:
        mendable = input_error(error) if isinstance(error, ValueError) else None
        why = str(mendable) if mendable is not None else f"{type(error).__name__}: {error}"
    if why:
        trial.set_user_attr("why", why)
        say(f"Trial {trial.number} {'pruned' if state == optuna.trial.TrialState.PRUNED else 'failed'}: {why}")
    study.tell(trial, score if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    for version in versions(home):
        shutil.rmtree(version / "checkpoints", ignore_errors=True)
