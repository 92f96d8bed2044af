"""A file brought from a store into a local folder: piece by piece, tried again, compared with its hash."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import xxhash
from lightning_utilities.core.rank_zero import rank_zero_warn

from ..errors import InputError, first_line
from .folders import Folder
from .prepared import ShardFile

PIECE = 1 << 24
"""Bytes of one request."""
PATIENCE = 120.0
"""Seconds for which a store that fails is asked again."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds between two tries, doubled each time."""
TRIES_OF_CONTENT = 3
"""Times that a file is brought whose content is not what it should be."""
Value = TypeVar("Value")


def bring(folder: Folder, name: str, known: ShardFile, target: Path) -> None:
    """Copy a file, which has its name only when all of it is there and is what it should be.

    Args:
        folder: where it lies.
        name: of the file there.
        known: its size and hash.
        target: what it becomes.

    Raises:
        InputError: if it is not there, or is another; or if the store fails for `PATIENCE` seconds.
        OSError: if it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{uuid4().hex[:8]}.tmp")
    try:
        for tried in range(1, TRIES_OF_CONTENT + 1):
            if (hashed := _copy(folder, name, known.size, unfinished)) == known.hash:
                unfinished.replace(target)
                return
            if tried < TRIES_OF_CONTENT:
                rank_zero_warn(f"{folder.where(name)} came with another content than its manifest says: again ...")
    finally:
        unfinished.unlink(missing_ok=True)
    raise InputError(
        f"{folder.where(name)} is not what its manifest says ({known.size:,} bytes, hash {known.hash}; it has the hash "
        f"{hashed}): it is damaged, or was replaced. Remove it and give the `prepare` command again, or copy it anew."
    )


def _copy(folder: Folder, name: str, size: int, target: Path) -> str:
    """Copy a file and return its hash."""
    content = xxhash.xxh3_128()
    with target.open("wb") as file:
        done = 0
        while done < size:
            end = min(size, done + PIECE)
            piece = patiently(lambda: _piece(folder, name, done, end, size), folder.where(name))  # noqa: B023  called now
            file.write(piece)
            content.update(piece)
            done += len(piece)
    return content.hexdigest()


def _piece(folder: Folder, name: str, begin: int, end: int, size: int) -> bytes:
    piece = folder.read_part(name, begin, end)
    if len(piece) == size != end - begin:  # a server that knows no parts sends the whole
        piece = piece[begin:end]
    if len(piece) != end - begin:
        raise OSError(f"{len(piece):,} bytes came in place of {end - begin:,}")
    return piece


def patiently(ask: Callable[[], Value], what: str) -> Value:
    """Return what a store answers; one that fails is asked again for a while, and that is told.

    Args:
        ask: the request.
        what: is asked for, for messages.

    Raises:
        InputError: if it is not there, or fails for `PATIENCE` seconds.
    """
    began, wait, told = time.monotonic(), FIRST_WAIT, False
    while True:
        try:
            return ask()
        except Exception as error:  # each library of a store has its own
            if why := _final(error):
                raise InputError(f"{what} {why}.") from error
            passed = time.monotonic() - began
            if passed + wait > PATIENCE:
                raise InputError(
                    f"{what} could not be read for {passed:.0f} s: {first_line(error).rstrip('.')}. When the store "
                    "answers again, the run goes on from its last checkpoint with --ckpt_path last."
                ) from error
            if not told:
                rank_zero_warn(
                    f"{what} cannot be read ({first_line(error).rstrip('.')}): trying again for {PATIENCE:.0f} s ..."
                )
                told = True
            time.sleep(wait)
            wait = min(LONGEST_WAIT, 2 * wait)


def _final(error: Exception) -> str | None:
    """Return what is wrong where no later try will do better."""
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return "is missing"
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"may not be read: credentials are missing, or others are needed ({first_line(error).rstrip('.')})"
    return None
