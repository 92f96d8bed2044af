"""The learning rate and its friends, found: `python main.py tune --config FILE`."""

from __future__ import annotations

import gc
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...checkpoints import versions
from ...errors import InputError, input_error
from ..arguments import asks_for_help, run_name, runs_folder, values_of, without
from ..callbacks import ExportBest, LastCheckpoint, LearningCurves
from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from ..terminal import say
from .parsing import check_options
from .search_fixed import leave_out_fixed
from .search_plots import draw_range_test, draw_search
from .search_space import RATE, Space

SPACE = Path(__file__).parents[2] / "configs" / "spaces" / "bert.yaml"
OWN = ("space", "trials", "range_test", "sampler_seed")
INTERRUPTED = "interrupted"
HOPELESS = 3
"""Trials at the beginning that fail for the same reason, after which no other is tried."""


def run_tune(args: Sequence[str]) -> dict[str, Any]:
    """Searches hyperparameters on validation, and writes the best as an overlay that `fit` takes.

    First Lightning's learning-rate range test (arXiv 1506.01186), whose proposal bounds the rates to search, then a
    search by Optuna: every trial is an ordinary `fit`, stopped early where it falls behind the median of the others.
    Options on the command line are not searched, nor, unless --space names them, those of a configuration but for the
    rate. Everything lies in NAME/tune: `study.db`, `range_test.png`, `search.png` and `best.yaml`. The same command
    goes on where it stopped, up to `--trials` in all. The test set plays no part.

    Args:
        args: what stands after `tune`: the options of `fit`, and --space FILE, --trials N, --range_test false,
            --sampler_seed N.

    Returns:
        `best` (the options), `score`, `trials` (a row for each), and `folder`.

    Raises:
        InputError: if the space or an option is wrong, or every trial failed.
    """
    if asks_for_help(args, run_tune):
        PretuneCLI(["fit", "--help"])
    try:
        import optuna
    except ImportError as error:
        raise InputError("tune needs the package optuna: pip install optuna.") from error
    given = {name: (values_of(args, name) or [""])[-1] for name in OWN}
    rest = list(args)
    for name in OWN:
        rest = without(rest, name)
    space, total = Space(given["space"] or SPACE), _whole(given["trials"] or "20", "trials")
    if total < 1:
        raise InputError("--trials is 0; it must be at least 1.")
    root = runs_folder(rest) / run_name(rest) / "tune"
    for name in ("name", "trainer.default_root_dir"):
        rest = without(rest, name)
    _check_options(space, rest)
    leave_out_fixed(space, rest, shipped=not given["space"])
    root.mkdir(parents=True, exist_ok=True)
    tested = RATE in space.entries and (given["range_test"] != "false" or space.needs_range_test)
    proposed = _range_test(root, rest) if tested else None

    search = json.loads(json.dumps({"options": rest, "space": space.entries}))
    if sentence := space.bound(proposed, tested):
        rank_zero_info(sentence)
    study = _open_study(root, search, _whole(given["sampler_seed"] or "0", "sampler_seed"))
    for left in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):  # the process was killed: try them again
        study.set_user_attr(INTERRUPTED, [*study.user_attrs.get(INTERRUPTED, []), left.number])
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(left.params)
    while len(_ended(study)) < total:
        trial = study.ask()
        _run_trial(study, trial, space.suggest(trial, proposed), root, rest)
        reasons = [t.user_attrs.get("why") for t in _ended(study)]
        if len(reasons) >= HOPELESS and reasons[0] is not None and len(set(reasons)) == 1:
            break  # each failed, and in the same way: so would the others
    return _report(study, root, space)


def _whole(text: str, name: str) -> int:
    if not text.isdigit():
        raise InputError(f"--{name} is {text!r}; a whole number would work.")
    return int(text)


def _open_study(root: Path, search: dict[str, Any], seed: int) -> Any:
    """The study in a folder, or a new one where no trial of it came to an end.

    Raises:
        InputError: if its trials were of another search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options: dict[str, Any] = {"storage": f"sqlite:///{root / 'study.db'}", "study_name": "search"}

    def create() -> Any:
        return optuna.create_study(
            **options,
            load_if_exists=True,
            direction="maximize",  # of the score, or of minus the loss
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )

    study = create()
    known = study.user_attrs.get("search")
    if known is not None and known != search:
        if _ended(study):
            changed = [key for key in search if known.get(key) != search[key]]
            raise InputError(
                f"The search in {root} was made with other {' and '.join(changed)}, and its trials do not compare: "
                "give another --name, or remove the folder."
            )
        optuna.delete_study(**options)
        study = create()
    study.set_user_attr("search", search)
    return study


def _ended(study: Any) -> list[Any]:
    """The trials that count: all but the interrupted."""
    interrupted = study.user_attrs.get(INTERRUPTED, [])
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in interrupted]


def _check_options(space: Space, args: Sequence[str]) -> None:
    """Exits with a message if an option of the space is none of `fit`, before anything is trained."""
    options = [f"--{name}={json.dumps(value)}" for name, value in space.examples().items()]
    check_options([*args, *options])


# ---------------------------------------------------------------------- the range test


class RangeTestCLI(PretuneCLI):
    """Runs Lightning's learning-rate range test in place of `fit`."""

    found: Any = None

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        from lightning.pytorch.tuner import Tuner

        self.model.max_skips = self.model.max_rollbacks = 0  # the test goes on until the loss breaks
        self.found = Tuner(self.trainer).lr_find(
            self.model, datamodule=self.datamodule, min_lr=1e-7, max_lr=1e-1, update_attr=False
        )


def _range_test(root: Path, args: Sequence[str]) -> float | None:
    """The rate that the test proposes; None where it finds none."""
    kept = root / "range_test.json"
    if not kept.is_file():
        where = [f"--trainer.default_root_dir={root}", "--name=range_test", "--trainer.num_sanity_val_steps=0"]
        where += ["--trainer.max_epochs=1000", "--trainer.max_steps=-1"]  # it ends after a hundred steps
        found = RangeTestCLI(with_recipe(["fit", *args, *where])).found
        proposed = found.suggestion() if found is not None else None
        curves = {key: [float(v) for v in found.results[key]] for key in ("lr", "loss")} if found is not None else {}
        kept.write_text(json.dumps({"proposed": proposed, **curves}))
        shutil.rmtree(root / "range_test", ignore_errors=True)
        if curves:
            draw_range_test(curves["lr"], _unbiased(curves["loss"]), proposed, root / "range_test.png")
    proposed = json.loads(kept.read_text())["proposed"]
    rank_zero_info(
        f"The range test proposes {RATE} {proposed:.2g} ({root / 'range_test.png'})."
        if proposed
        else "The range test proposes no learning rate: the loss never fell."
    )
    return proposed  # type: ignore[no-any-return]


def _unbiased(losses: list[float], beta: float = 0.98) -> list[float]:
    """Lightning's smoothed losses, whose first ones it divides as if there were one more: they look half as large."""
    return [loss * (1 - beta ** (i + 2)) / (1 - beta ** (i + 1)) for i, loss in enumerate(losses)]


# ---------------------------------------------------------------------- one trial


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
    """Tells a trial each validation's score, and ends a run that falls behind.

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


def _run_trial(study: Any, trial: Any, values: dict[str, Any], root: Path, args: Sequence[str]) -> None:
    """Trains with the values, and tells the study how it went."""
    import optuna

    home = root / f"trial_{trial.number}"
    options = [f"--{name}={json.dumps(value)}" for name, value in values.items()]
    where = [f"--trainer.default_root_dir={root}", f"--name={home.name}"]
    say(f"\nTrial {trial.number}: {', '.join(f'{name} {_short(value)}' for name, value in values.items())}")
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
        found = input_error(error) if isinstance(error, ValueError) else None
        why = str(found) if found is not None else f"{type(error).__name__}: {error}"
    if why:
        trial.set_user_attr("why", why)
        say(f"Trial {trial.number} {'pruned' if state == optuna.trial.TrialState.PRUNED else 'failed'}: {why}")
    study.tell(trial, score if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    for version in versions(home):
        shutil.rmtree(version / "checkpoints", ignore_errors=True)


# ---------------------------------------------------------------------- what came of it


def _report(study: Any, root: Path, space: Space) -> dict[str, Any]:
    """Table, picture and overlay."""
    rows = [
        {"trial": t.number, "state": t.state.name.lower(), "score": t.user_attrs.get("score"), **t.params}
        | ({"why": t.user_attrs["why"]} if "why" in t.user_attrs else {})
        for t in _ended(study)
    ]
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    say("\n" + _table(rows, list(space.entries)))
    if not complete:
        why = str(rows[-1].get("why", "pruned")).rstrip(".") if rows else "none was run"
        raise InputError(f"Every trial failed; the last: {why}.")
    best = max(complete, key=lambda t: (t.value, -t.number))
    tied = [t.number for t in complete if t.value == best.value]
    monitor, score = best.user_attrs["monitor"], best.user_attrs["score"]
    overlay = root / "best.yaml"
    head = (
        f"# The best of {len(rows)} trials (trial {best.number}): {monitor} {score:.4f}.\n"
        f"#   python main.py fit --config ... --config {overlay}\n"
    )
    if len(tied) > 1:
        numbers = f"{', '.join(map(str, tied[:-1]))} and {tied[-1]}"
        head += (tie := f"# Trials {numbers} are tied: validation does not tell them apart, and the first was taken.\n")
        say("\n" + tie[2:].rstrip())
    nested = _nested(best.params, root / f"trial_{best.number}")
    overlay.write_text(head + yaml.safe_dump(nested, sort_keys=False), encoding="utf-8")
    mode = best.user_attrs.get("mode", "max" if best.value == score else "min")  # earlier studies did not say
    draw_search(rows, list(space.entries), monitor, mode, root / "search.png")
    say(f"\nBest: trial {best.number}, {monitor} {score:.4f}. Train with it: --config {overlay}")
    return {"best": best.params, "score": score, "trials": rows, "folder": str(root)}


def _nested(values: dict[str, Any], home: Path) -> dict[str, Any]:
    """Dotted options as YAML has them."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        first, *path = name.split(".")
        if first in ("model", "data") and path[:1] != ["init_args"]:
            path = ["init_args", *path]
        if path[:2] == ["init_args", "backbone"]:  # in YAML, a part would take the place of the whole
            saved = yaml.safe_load((versions(home)[-1] / "config.yaml").read_text(encoding="utf-8"))
            path, value = ["init_args", "backbone"], saved["model"]["init_args"]["backbone"]
        at = tree.setdefault(first, {})
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return tree


def _table(rows: list[dict[str, Any]], names: list[str]) -> str:
    lines = [f"| trial | score | {' | '.join(names)} | |", "|---" * (len(names) + 3) + "|"]
    for row in sorted(rows, key=lambda row: row["trial"]):
        score = f"{row['score']:.4f}" if row["score"] is not None else "-"
        note = "" if row["state"] == "complete" else f"{row['state']}: {row.get('why', '')}"
        lines.append(f"| {row['trial']} | {score} | {' | '.join(_short(row.get(n, '')) for n in names)} | {note} |")
    return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
