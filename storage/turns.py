"""One process at a time, where two would do the same work; who waits is told for whom."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_info

PATIENCE = 2.0
"""Seconds until waiting is worth a line."""


@contextmanager
def turn(lock: Path, what: str) -> Iterator[bool]:
    """Wait for a lock and hold it.

    Args:
        lock: its file, which stays: whoever waits for it has it open.
        what: is made, for the message.

    Yields:
        Whether it is held: some file systems have no locks, and some folders cannot be written. What is made must be
        right without one, and the lock only saves doing it twice.
    """
    owner = lock.with_suffix(".owner")
    file_lock = _lock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            file_lock.acquire(timeout=PATIENCE)
        except Timeout:
            rank_zero_info(f"{what} is being made by {_read(owner)}: waiting for it (lock: {lock}) ...")
            file_lock.acquire(timeout=-1, poll_interval=0.2)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, Timeout):
            raise
        yield False
        return
    try:
        with suppress(OSError):
            owner.write_text(f"process {os.getpid()} on {platform.node()} since {time.strftime('%H:%M:%S')}")
        yield True
    finally:
        with suppress(OSError):
            owner.unlink()
        file_lock.release()


def is_free(lock: Path) -> bool:
    """Return whether nobody holds a lock at the moment."""
    file_lock = _lock(lock)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with file_lock.acquire(timeout=0):
            return True
    except (OSError, NotImplementedError):  # `Timeout` is an OSError
        return False


def _lock(path: Path) -> FileLock:
    return FileLock(path, mode=0o666)  # the umask decides who shares a cache


def _read(owner: Path) -> str:
    try:
        return owner.read_text() or "another process"
    except OSError:
        return "another process"
