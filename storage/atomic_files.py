"""Files that are whole or not there, flushed to the disk before they take their name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4


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
