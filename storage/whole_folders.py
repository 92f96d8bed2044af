"""Folders that are whole or not there, whoever writes them at the same time, and whenever a process is killed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from .atomic_files import sync_folder
from .disk import disk_error
from .turns import turn

UNFINISHED, EARLIER = ".unfinished", ".earlier"
"""What the names of folders end in: of one while it is written, and of what it takes the place of, for a moment."""
OWN = r"\.[0-9a-f]{8}"
"""Stands before that: every process has names of its own."""


@contextmanager
def swapped_in(folder: str | Path) -> Iterator[Path]:
    """Give a fresh folder to write into, which takes the place of `folder` once all of it is written.

    Its files get the permissions that the umask gives, whichever library wrote them. Where the writing fails, what was
    there before stays. Where a process was killed between the two renames, what was there before has its name again
    when the next one begins. Who comes second waits, and is told for whom.

    Args:
        folder: that is to be replaced, or made.

    Raises:
        OSError: that names `folder`, where its disk is full or cannot be written, whatever a library makes of that.
    """
    target = Path(folder)
    if target.is_symlink():  # what it leads to is replaced
        target = target.resolve()
    own = f"{target.name}.{uuid4().hex[:8]}"
    place, earlier = target.with_name(own + UNFINISHED), target.with_name(own + EARLIER)
    with turn(target.with_name(f".{target.name}.lock"), str(folder)) as alone:
        if alone:
            _tidy(target)
        try:
            place.mkdir(parents=True)
            yield place
            _settle(place)
            if target.exists():
                target.rename(earlier)
            place.rename(target)
        except BaseException as error:
            shutil.rmtree(place, ignore_errors=True)
            if earlier.exists() and not target.exists():
                earlier.rename(target)
            if isinstance(error, Exception) and (named := disk_error(error, place, target)) is not None:
                raise named from error
            raise
        sync_folder(target.parent)
        shutil.rmtree(earlier, ignore_errors=True)


def final_name(folder: str | Path) -> Path:
    """Return what a folder is called once it, and those that it lies in, are written; for messages."""
    return Path(*(re.sub(f"{OWN}{re.escape(UNFINISHED)}$", "", part) for part in Path(folder).parts))


def is_begun(folder: Path) -> bool:
    """Return whether a process has begun to write a folder, and was not done, or is not yet."""
    return bool(_left(folder, UNFINISHED))


def _tidy(target: Path) -> None:
    """Bring back, or remove, what processes have left that were killed: whoever holds the lock is the only one."""
    earlier = sorted(_left(target, EARLIER), key=lambda path: path.stat().st_mtime)
    if earlier and not target.exists():
        earlier.pop().rename(target)
        sync_folder(target.parent)
    for left in (*earlier, *_left(target, UNFINISHED)):
        shutil.rmtree(left, ignore_errors=True)


def _left(target: Path, ending: str) -> list[Path]:
    if not target.parent.is_dir():
        return []
    named = re.compile(re.escape(target.name) + OWN + re.escape(ending))
    return [path for path in target.parent.iterdir() if named.fullmatch(path.name)]


def _settle(folder: Path) -> None:
    """Flush all files below a folder that was just made, and give them the permissions of its own mode."""
    allowed = folder.stat().st_mode & 0o777
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(allowed)
            continue
        path.chmod(allowed & 0o666)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
