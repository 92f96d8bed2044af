"""Files and folders that are whole or not there, flushed to the disk before they take their name."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".unfinished"
"""What the name of a folder ends in while it is written."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file that readers see whole: the old one or the new one.

    Args:
        path: of the file; its folder is made if missing.
        text: what it holds then, as UTF-8.

    Raises:
        OSError: that names the file.
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:  # what `write` raises names no file
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)


def clear_unfinished(path: str | Path) -> None:
    """Remove what processes that were killed have left of a file, by whoever alone may write it now."""
    target = Path(path)
    for left in target.parent.glob(f".{target.name}.{'[0-9a-f]' * 8}.tmp"):
        left.unlink(missing_ok=True)


def sync_folder(folder: str | Path) -> None:
    """Flush a folder's list of names: a rename is safe from then on. Some file systems know no such thing."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def swapped_in(folder: str | Path) -> Iterator[Path]:
    """Give a fresh folder to write into, which takes the place of `folder` once all of it is written.

    Its files get the permissions that the umask gives, whichever library wrote them. Where the writing fails, what was
    there before stays.

    Args:
        folder: that is to be replaced, or made.
    """
    target = Path(folder)
    place, old = target.with_name(target.name + UNFINISHED), target.with_name(target.name + ".old")
    for left in (place, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        place.mkdir(parents=True)
        yield place
        _settle(place)
        if target.exists():
            target.rename(old)
        place.rename(target)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def final_name(folder: str | Path) -> Path:
    """Return what a folder is called once it, and those that it lies in, are written; for messages."""
    return Path(*(part.removesuffix(UNFINISHED) for part in Path(folder).parts))


def disk_full(error: BaseException | None) -> str | None:
    """Return what an error says where a full disk, or a quota, is behind it; libraries wrap it in their own."""
    message = (error.strerror if isinstance(error, OSError) and error.filename is None else None) or str(error)
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return message
        if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            return message
        error = error.__cause__ or error.__context__
    return None


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
