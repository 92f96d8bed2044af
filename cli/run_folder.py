"""The folder that a command writes into, and the checkpoint that it starts from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checkpoints import damage, find_checkpoint, read_checkpoint, run_of, versions
from ..errors import InputError
from ..storage.atomic_files import clear_unfinished, sync_folder
from .launch import CHECKPOINT, RUN, agree, is_launched
from .run_lock import RunLock, is_being_written, said, writer
from .run_names import names_below, other_names
from .run_state import mention_end, state_of
from .slurm import SlurmJob
from .stop_signals import requests


@dataclass
class RunFolder:
    """Where a command writes, and the checkpoint it starts from.

    Args:
        folder: `runs/<name>/version_N`.
        checkpoint: to resume or to evaluate, if any.
        why_untrained: of an evaluation without a checkpoint, why there is none, and what would give one.
        is_new: whether this process has made the folder.
    """

    folder: Path
    checkpoint: Path | None = None
    why_untrained: str | None = None
    is_new: bool = False
    _lock: RunLock | None = field(default=None, repr=False)
    _told: Path | None = field(default=None, repr=False)
    _environment: dict[str, str | None] | None = field(default=None, repr=False)
    _made: list[Path] = field(default_factory=list, repr=False)
    """The folders around it that it has made."""

    @classmethod
    def choose(
        cls,
        root: Path,
        verb: str,
        wanted: str | None,
        identity: list[Any],
        same: Callable[[Path], bool] = lambda run: False,
        training: bool = True,
        name: str | None = None,
    ) -> RunFolder:
        """Resolve `--ckpt_path`, find or make the folder to write into, and take the right to train in it.

        A checkpoint that lies in a run folder keeps its run: resumed training goes on in it, scores and predictions are
        added to it. Anything else gets a new version. Of several processes of one job, the first chooses for all.

        Args:
            root: `runs/<name>`.
            verb: `fit`, `validate`, `test` or `predict`.
            wanted: null, `last`, `best`, a run folder, or a file. `last` and `best` mean the newest run of this name
                that has a checkpoint; where there is none yet, training starts from the beginning. Null evaluates the
                best weights of that run, if it was of the same model.
            identity: class and backbone in question.
            same: whether a run folder is of the same configuration.
            training: whether a `fit` keeps anything, which a trial run of some steps does not.
            name: as it was given, for messages.

        Raises:
            InputError: if there is no such checkpoint, it is damaged, the folder cannot be written, or another process
                trains in it.
        """
        if is_launched():
            checkpoint = os.environ.get(CHECKPOINT)
            return cls(Path(os.environ[RUN]), Path(checkpoint) if checkpoint else None)
        mine: list[RunFolder] = []

        def first() -> dict[str, Any]:
            chosen = _choose(root, verb, wanted, identity, same, name)
            mine.append(chosen)
            chosen._take(root, verb == "fit" and training)
            return {
                "folder": str(chosen.folder),
                "checkpoint": str(chosen.checkpoint or ""),
                "why_untrained": chosen.why_untrained,
            }

        try:
            choice, told = agree(root, first)
        except BaseException:  # a signal, too
            for chosen in mine:
                chosen.release(keep=False)
            raise
        if mine:
            mine[0]._told = told
            return mine[0]
        checkpoint = choice["checkpoint"]
        return cls(Path(choice["folder"]), Path(checkpoint) if checkpoint else None, choice["why_untrained"])

    def tell(self) -> None:
        """Tell the processes that a strategy launches: they must not choose for themselves, as there is a run now."""
        if self._environment is None:
            self._environment = {name: os.environ.get(name) for name in (RUN, CHECKPOINT)}
        os.environ[RUN], os.environ[CHECKPOINT] = str(self.folder), str(self.checkpoint or "")

    def release(self, keep: bool = True) -> None:
        """Give the right to train back, and the environment what it had.

        Args:
            keep: whether the folder stays. One that a failed start has made, before it had anything to keep, goes, as
                does one that was made for nothing (a trial run writes none of its files).
        """
        if self._told is not None:
            self._told.unlink(missing_ok=True)
        for name, value in (self._environment or {}).items():  # nobody is told any more
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        empty = self.is_new and self.folder.is_dir() and not any(self.folder.iterdir())
        if self.is_new and not list((self.folder / "checkpoints").glob("*.ckpt")) and (empty or not keep):
            shutil.rmtree(self.folder, ignore_errors=True)
            for parent in self._made:
                try:
                    parent.rmdir()  # unless there is something else in it
                except OSError:
                    break
        if self._lock is not None:
            self._lock.release()

    def saved(self) -> str:
        """Return which checkpoints there are, for messages."""
        checkpoints = [str(path) for path in sorted((self.folder / "checkpoints").glob("*.ckpt"))]
        return f"saved are {' and '.join(checkpoints)}" if checkpoints else "nothing was saved"

    def can_go_on(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return find_checkpoint(self.folder, "last") is not None

    def _take(self, root: Path, for_training: bool) -> None:
        """Make the folder unless it is there; `checkpoints/` marks a training run."""
        try:
            if not self.folder.is_dir():
                self._made = [p for p in (root, root.parent) if not p.exists()]
                with requests.held_back():  # between its folders, nobody would know whose they are
                    self.folder, self.is_new = _new_version(root), True
            target = self.folder / "checkpoints" if for_training else self.folder
            target.mkdir(exist_ok=True)
            probe = target / ".writable"
            probe.write_text("")
            probe.unlink()
            if for_training:
                job = SlurmJob.current()
                self._lock = RunLock(self.folder)
                self._lock.acquire(job.id if job else None)
                for left in target.glob("*.ckpt.tmp"):  # of a process that was killed while it wrote
                    left.unlink()
                clear_unfinished(self.folder / "config.yaml")
        except OSError as error:
            raise InputError(
                f"The run folder {self.folder} cannot be written ({error.strerror}): choose another place with "
                "--trainer.default_root_dir."
            ) from error


def _choose(
    root: Path, verb: str, wanted: str | None, identity: list[Any], same: Callable[[Path], bool], name: str | None
) -> RunFolder:
    from lightning.pytorch.utilities.rank_zero import rank_zero_info

    newest = versions(root)[-1] if versions(root) else None
    preferred = "last" if verb == "fit" else "best"
    checkpoint, why = None, None
    if wanted in ("last", "best"):
        checkpoint = _newest_checkpoint(root, wanted)
        if checkpoint is None and verb != "fit":
            others = other_names(root, name)
            raise InputError(f"--ckpt_path {wanted}: there is no run with a checkpoint below {root}.{others}")
        if checkpoint is None:
            rank_zero_info(f"--ckpt_path {wanted}: no checkpoint below {root} yet, training starts from the beginning.")
    elif wanted:
        path = Path(wanted)
        runs = [path, *reversed(versions(path))] if os.path.isdir(path) else []
        checkpoint = next((c for run in runs if (c := find_checkpoint(run, preferred))), None) if runs else path
        if checkpoint is None or not os.path.isfile(checkpoint):
            seeds = f" {path / below[0]} is one." if (below := names_below(path)) else ""
            raise InputError(f"--ckpt_path {wanted}: there is no such checkpoint, nor a run folder with one.{seeds}")
    elif verb != "fit":
        checkpoint = _newest_checkpoint(root, preferred)
        if checkpoint is None:
            why = f"There is no run with a checkpoint below {root}.{other_names(root, name)}"
        elif _identity(run := checkpoint.parent.parent) != identity:
            why, checkpoint = f"{run} is of another model or backbone{_its_own(run)}.", None
        else:
            rank_zero_info(f"Using {checkpoint}, of the newest run of this name (another: --ckpt_path).")
    elif newest is not None:
        checkpoint = _of_this_job(root, same)
        if checkpoint is None:
            _mention_unfinished(root, same)
    if checkpoint is not None:
        _check(checkpoint, verb, wanted)
        if verb != "fit" and (its_run := run_of(checkpoint)) is not None:
            mention_end(its_run)
    return RunFolder((run_of(checkpoint) if checkpoint else None) or root / "version_new", checkpoint, why)


def _check(checkpoint: Path, verb: str, wanted: str | None) -> None:
    """Refuse what is damaged, or cannot be resumed from."""
    if (what := damage(checkpoint)) is not None:
        others = [p for p in sorted(checkpoint.parent.glob("*.ckpt"), key=_age) if p != checkpoint]
        if verb == "fit":
            others = [p for p in others if p.name != "best.ckpt"]
        good = next((p for p in others if damage(p) is None), None)
        cure = f"; --ckpt_path {good} is whole" if good is not None else ""
        raise InputError(f"{checkpoint} is damaged: {what}{cure}.")
    if verb == "fit" and "optimizer_states" not in read_checkpoint(checkpoint):
        raise InputError(f"--ckpt_path {wanted}: {checkpoint} holds weights only; `last` can be resumed from.")


def _newest_checkpoint(root: Path, preferred: str) -> Path | None:
    """Return the checkpoint of the newest run that has a complete one; those without are named."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_info

    for run in reversed(versions(root)):
        if (checkpoint := find_checkpoint(run, preferred)) is not None:
            return checkpoint
        if (run / "checkpoints").is_dir():
            state = f"{said(writer(run))} and " if is_being_written(run) else ""
            rank_zero_info(f"{run} is passed over: it is {state}without a complete checkpoint.")
    return None


def _of_this_job(root: Path, same: Callable[[Path], bool]) -> Path | None:
    """Return where a job goes on that Slurm has started again: the last checkpoint of its own run."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_info

    job = SlurmJob.current()
    for run in reversed(versions(root)) if job is not None else []:
        note = writer(run)
        if job is None or note.get("job") != job.id or not same(run):
            continue
        if state_of(run).get("status") == "finished" and not note.get("requeued") and not job.restarts:
            return None  # the script of the job trains twice
        if (checkpoint := find_checkpoint(run, "last")) is not None and not is_being_written(run):
            rank_zero_info(f"Slurm's job {job.id} goes on in {run}, from {checkpoint}.")
            return checkpoint
    return None


def _mention_unfinished(root: Path, same: Callable[[Path], bool]) -> None:
    """Say that a run of the same configuration could go on, where a new one is about to begin beside it."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_info

    run = next((run for run in reversed(versions(root)) if find_checkpoint(run, "last") is not None), None)
    if run is None or not (state := state_of(run)) or state.get("status") == "finished":
        return
    if same(run) and not is_being_written(run):
        why = str(state.get("stopped", "it was killed")).rstrip(".")
        rank_zero_info(
            f"A new run begins beside {run}, which is of the same configuration and unfinished ({why}): "
            "--ckpt_path last goes on with that one."
        )


def _new_version(root: Path) -> Path:
    """Make the next `version_N`; of several processes at once, each makes its own."""
    while True:
        root.mkdir(parents=True, exist_ok=True)
        number = int(versions(root)[-1].name.rpartition("_")[2]) + 1 if versions(root) else 0
        try:
            (root / f"version_{number}").mkdir()
        except (FileExistsError, FileNotFoundError):  # another was faster, or has just removed the empty root
            continue
        sync_folder(root)
        return root / f"version_{number}"


def _identity(run: Path) -> list[Any]:
    """Return class and backbone of a run, from its configuration."""
    from ..storage.plain_files import read_yaml  # and YAML with it: `compare` needs only the folders

    file = run / "config.yaml"
    config = read_yaml(file) if file.is_file() else {}
    model = config.get("model") if isinstance(config, dict) else None
    model = model if isinstance(model, dict) else {}
    options = model.get("init_args")
    return [model.get("class_path"), options.get("backbone") if isinstance(options, dict) else None]


def _its_own(run: Path) -> str:
    """Return what would evaluate a run of other options than those that are given."""
    file = run / "config.yaml"
    return "; --ckpt_path best would evaluate it" + (f", --config {file} takes its options" if file.is_file() else "")


def _age(path: Path) -> float:
    return -path.stat().st_mtime
