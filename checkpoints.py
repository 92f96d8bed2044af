"""Run folders: how a path that a user types becomes a run, its weights, its tokenizer or a checkpoint.

runs/<name>/version_N/{config.yaml, metrics.csv, checkpoints/{best,last}.ckpt, export/}
"""

from __future__ import annotations

import os
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from .contracts import Stored
from .errors import InputError, first_line
from .storage.checksums import warn_of_changes

STORED = "pretune"
"""The checkpoint entry in which a module describes itself: class, configuration, tokenizer, labels."""


def versions(root: Path) -> list[Path]:
    """Return the run folders `version_0`, `version_1`, ... below `root`, oldest first."""
    numbered = [(int(m[1]), p) for p in root.glob("version_*") if (m := re.fullmatch(r"version_(\d+)", p.name))]
    return [p for _, p in sorted(numbered)]


def run_of(checkpoint: str | Path) -> Path | None:
    """Return the run folder that a checkpoint file lies in, or None when it lies elsewhere."""
    folder = Path(checkpoint).parent
    return folder.parent if folder.name == "checkpoints" else None


def is_complete(checkpoint: Path) -> bool:
    """Return whether a checkpoint was written to its end, where the directory of its zip archive is; takes no time."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return bool(archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def damage(checkpoint: Path) -> str | None:
    """Return what is wrong with the bytes of a checkpoint; None where all are as they were written.

    Each entry of the archive carries its CRC-32, which torch writes and does not look at. A gigabyte takes a second; a
    file that was looked through once is not looked through again while it stays as it is.
    """
    if not is_complete(checkpoint):
        return "it was cut off while it was written, or is no checkpoint"
    stat = checkpoint.stat()
    return _damage(str(checkpoint.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _damage(path: str, size: int, changed: int, inode: int) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except Exception as error:  # broken names and offsets raise whatever they lead to
        return f"it cannot be read ({error or type(error).__name__})"
    return f"the checksum of {bad} is wrong" if bad else None


def find_checkpoint(run: Path, preferred: str) -> Path | None:
    """Return the `best` or `last` checkpoint of a run, else the newest other one; half-written files are skipped.

    Raises:
        InputError: if `best` is wanted and half-written: no other weights take its place unasked.
    """
    from lightning_utilities.core.rank_zero import rank_zero_warn  # here: `compare` needs only the folders

    folder = run / "checkpoints"
    # best.ckpt holds weights only: nothing to resume from.
    usable = [path for path in folder.glob("*.ckpt") if preferred != "last" or path.name != "best.ckpt"]
    newest_first = sorted(usable, key=lambda p: p.stat().st_mtime, reverse=True)
    first = folder / f"{preferred}.ckpt"
    for path in sorted(newest_first, key=lambda p: p != first):
        if is_complete(path):
            return path
        if path.name == "best.ckpt":
            cure = next((f"; --ckpt_path {p} is whole" for p in newest_first if is_complete(p)), "")
            raise InputError(f"{path} is half-written{cure}.")
        rank_zero_warn(f"{path} is half-written and was skipped.")
    return None


def read_checkpoint(path: str | Path, whole: bool = True) -> dict[str, Any]:
    """Load a checkpoint without running any pickled code (`weights_only=True`), memory-mapped.

    Args:
        path: of the file.
        whole: whether all its bytes are to be compared with their checksums first; not needed where only a number is
            looked up.

    Raises:
        InputError: if the file is missing, half-written or damaged, or holds more than plain data.
    """
    import torch

    path = Path(path)
    if not os.path.isfile(path):
        raise InputError(f"There is no checkpoint {path}.")
    if not is_complete(path):
        raise InputError(
            f"{path} is not a complete checkpoint: it was cut off while it was written, or is no checkpoint."
        )
    if whole and (fault := damage(path)) is not None:
        raise InputError(f"{path} is damaged: {fault}.")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:  # its own reader looks at more than Python's does
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    except Exception as error:
        raise InputError(f"{path} holds more than plain data and was not read: that would not be safe.") from error
    return content


def stored(path: str | Path) -> Stored:
    """Return what a checkpoint of this project says about itself."""
    content = read_checkpoint(path)
    if STORED not in content:
        raise InputError(f"{path} is a checkpoint, but not one that pretune wrote.")
    return Stored.of(content[STORED])


def locate(name: str) -> Path | str:
    """Return where the weights or the tokenizer called `name` lie.

    Args:
        name: a folder in Hugging Face's format, a run folder `runs/x/version_N`, the folder `runs/x` of several runs
            (the newest one with weights is meant), a `.ckpt`, or a hub id.

    Returns:
        The path of a Hugging Face folder or of a `.ckpt` file, or the hub id as a string.

    Raises:
        InputError: if `name` is a path, but nothing usable lies there.
    """
    path = Path(name).expanduser()
    if os.path.isfile(path):  # which takes any text, however long
        if path.suffix != ".ckpt":
            raise InputError(f"{name} is a file; a folder, a .ckpt file of an earlier run or a hub id would work.")
        return path
    if os.path.isdir(path):
        for run in [path, *reversed(versions(path))]:
            for folder in (run, run / "export"):
                if (folder / "config.json").is_file() or (folder / "tokenizer.json").is_file():
                    warn_of_changes(folder)
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
