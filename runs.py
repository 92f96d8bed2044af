"""Run folders: how a path that a user types becomes a run, its weights, its tokenizer or a checkpoint.

runs/<name>/version_N/{config.yaml, metrics.csv, checkpoints/{best,last}.ckpt, export/}
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError

STORED = "pretune"
"""The checkpoint entry in which a module describes itself: class, configuration, tokenizer, labels."""
RUN, CHECKPOINT = "PRETUNE_RUN_FOLDER", "PRETUNE_CHECKPOINT"
"""Where a command tells the processes that a strategy launches what it chose."""


def versions(root: Path) -> list[Path]:
    """The run folders `version_0`, `version_1`, ... below `root`, oldest first."""
    found = [(int(m[1]), p) for p in root.glob("version_*") if (m := re.fullmatch(r"version_(\d+)", p.name))]
    return [p for _, p in sorted(found)]


def run_of(checkpoint: str | Path) -> Path | None:
    """The run folder that a checkpoint file lies in, or None when it lies elsewhere."""
    folder = Path(checkpoint).parent
    return folder.parent if folder.name == "checkpoints" else None


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint was written to its end: the directory of its zip archive comes last."""
    return checkpoint.is_file() and zipfile.is_zipfile(checkpoint)


def find_checkpoint(run: Path, preferred: str) -> Path | None:
    """The `best` or `last` checkpoint of a run, else the newest other one; half-written files are skipped."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_warn  # here: `compare` needs only the folders

    folder = run / "checkpoints"
    # best.ckpt holds weights only: nothing to resume from.
    usable = [path for path in folder.glob("*.ckpt") if preferred != "last" or path.name != "best.ckpt"]
    others = sorted(usable, key=lambda p: p.stat().st_mtime, reverse=True)
    first = folder / f"{preferred}.ckpt"
    for path in [p for p in others if p == first] + [p for p in others if p != first]:
        if is_complete(path):
            return path
        rank_zero_warn(f"{path} is half-written and was skipped.")
    return None


@dataclass
class RunFolder:
    """Where a command writes, and the checkpoint it starts from.

    Args:
        folder: `runs/<name>/version_N`.
        checkpoint: to resume or to evaluate, if any.
    """

    folder: Path
    checkpoint: Path | None = None

    @classmethod
    def choose(cls, root: Path, verb: str, wanted: str | None, identity: list[Any]) -> RunFolder:
        """Resolves `--ckpt_path` and finds the folder to write into.

        A checkpoint that lies in a run folder keeps its run: resumed training goes on in it, scores and predictions are
        added to it. Anything else gets a new version.

        Args:
            root: `runs/<name>`.
            verb: `fit`, `validate`, `test` or `predict`.
            wanted: null, `last`, `best`, a run folder, or a file. `last` and `best` mean the newest training run of
                this name; where that has none yet, training starts from the beginning. Null evaluates the best weights
                of the newest run of this name, if it was of the same model.
            identity: class and backbone in question.

        Raises:
            InputError: if there is no such checkpoint.
        """
        from lightning.pytorch.utilities.rank_zero import rank_zero_info

        if int(os.environ.get("LOCAL_RANK", 0)) > 0 and RUN in os.environ:  # chosen by the process that launched this
            checkpoint = os.environ.get(CHECKPOINT)
            return cls(Path(os.environ[RUN]), Path(checkpoint) if checkpoint else None)
        number = int(versions(root)[-1].name.rpartition("_")[2]) + 1 if versions(root) else 0
        folder = root / f"version_{number}"
        preferred = "last" if verb == "fit" else "best"
        trained = [run for run in versions(root) if (run / "checkpoints").is_dir()]
        if wanted in ("last", "best"):
            found = find_checkpoint(trained[-1], wanted) if trained else None
            if found is None and verb != "fit":
                raise InputError(f"--ckpt_path {wanted}: there is no run with a checkpoint below {root}.")
            if found is None:
                rank_zero_info(
                    f"--ckpt_path {wanted}: no checkpoint below {root} yet, training starts from the beginning."
                )
        elif wanted:
            path = Path(wanted)
            runs = [path, *reversed(versions(path))] if path.is_dir() else []
            found = next((c for run in runs if (c := find_checkpoint(run, preferred))), None) if runs else path
            if found is None or not found.is_file():
                raise InputError(f"--ckpt_path {wanted}: there is no such checkpoint, nor a run folder with one.")
        elif verb != "fit" and trained and _identity(trained[-1]) == identity:
            found = find_checkpoint(trained[-1], preferred)
            rank_zero_info(f"Using {found}, the newest run of this name (another: --ckpt_path).")
        else:
            found = None
            if verb != "fit" and trained:
                rank_zero_info(f"{trained[-1]} is of another model or backbone; --ckpt_path best would evaluate it.")
        if verb == "fit" and found is not None and "optimizer_states" not in read_checkpoint(found):
            raise InputError(f"--ckpt_path {wanted}: {found} holds weights only; `last` can be resumed from.")
        return cls((run_of(found) or folder) if found else folder, found)

    def tell(self) -> None:
        """Tells the processes that a strategy launches: they must not choose for themselves, as there is a run now."""
        os.environ[RUN], os.environ[CHECKPOINT] = str(self.folder), str(self.checkpoint or "")

    def create(self, for_training: bool) -> None:
        """Makes the folder; `checkpoints/` marks a training run.

        Raises:
            InputError: if it cannot be written.
        """
        target = self.folder / "checkpoints" if for_training else self.folder
        try:
            target.mkdir(parents=True, exist_ok=True)
            probe = target / ".writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"The run folder {self.folder} cannot be written ({error.strerror}): choose another place with "
                "--trainer.default_root_dir."
            ) from error

    def discard(self) -> None:
        """Removes the folder of a training run that failed before it had anything to keep.

        It would pass for the newest run of its name, and hide the one before.
        """
        if self.checkpoint is None and not list((self.folder / "checkpoints").glob("*.ckpt")):
            shutil.rmtree(self.folder, ignore_errors=True)


def _identity(run: Path) -> list[Any]:
    """Class and backbone of a run, from its configuration."""
    import yaml

    file = run / "config.yaml"
    model = (yaml.safe_load(file.read_text()) if file.is_file() else {}).get("model") or {}
    return [model.get("class_path"), (model.get("init_args") or {}).get("backbone")]


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Loads a checkpoint without running any pickled code (`weights_only=True`), memory-mapped.

    Raises:
        InputError: if the file is missing, half-written, or holds more than plain data.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no checkpoint {path}.")
    if not is_complete(path):
        raise InputError(
            f"{path} is not a complete checkpoint: it was cut off while it was written, or is no checkpoint."
        )
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(f"{path} holds more than plain data and was not read: that would not be safe.") from error
    return content


def stored(path: str | Path) -> dict[str, Any]:
    """What a checkpoint of this project says about itself."""
    content = read_checkpoint(path)
    if STORED not in content:
        raise InputError(f"{path} is a checkpoint, but not one that pretune wrote.")
    entry: dict[str, Any] = content[STORED]
    return entry


def locate(name: str) -> Path | str:
    """Where the weights or the tokenizer called `name` lie.

    Args:
        name: a folder in Hugging Face's format, a run folder `runs/x/version_N`, the folder `runs/x` of several runs
            (the newest one with weights is meant), a `.ckpt`, or a hub id.

    Returns:
        The path of a Hugging Face folder or of a `.ckpt` file, or the hub id as a string.

    Raises:
        InputError: if `name` is a path, but nothing usable lies there.
    """
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".ckpt":
            raise InputError(f"{name} is a file; a folder, a .ckpt file of an earlier run or a hub id would work.")
        return path
    if path.is_dir():
        for run in [path, *reversed(versions(path))]:
            for folder in (run, run / "export"):
                if (folder / "config.json").is_file() or (folder / "tokenizer.json").is_file():
                    return folder
            if (checkpoint := find_checkpoint(run, "best")) is not None:
                return checkpoint
        raise InputError(
            f"The folder {name} holds neither a model (config.json), an earlier run (export/, checkpoints/), "
            "nor versions of one (version_0/, ...)."
        )
    if path.is_absolute() or name.startswith((".", "~", "runs/")) or name.endswith(".ckpt") or name.count("/") > 1:
        raise InputError(f"There is no file or folder {name} (looked in {Path.cwd()}).")
    return name
