"""Who writes a run: one process at a time, known by name to whoever comes second."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import InputError
from ..storage.atomic_files import clear_unfinished, write_text

LOCK, WRITER, SHARED = ".lock", ".writer.json", ".shared.lock"
ORPHANS = 20.0
"""Seconds that the helpers of a process that was killed may hold its lock: they look every five whether it is gone."""


class RunLock:
    """The right to train in a run folder; the system takes it back when the process ends, however it ends.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK)

    def acquire(self, job: str | None = None) -> None:
        """Take the lock and leave a note who holds it.

        Args:
            job: of the scheduler, which may start the command again.

        Raises:
            InputError: if another process holds it; the message names it.
        """
        try:
            self._lock.acquire(timeout=0.5)  # another may just be looking whether it is free
        except Timeout:
            holder = writer(self.folder)
            if not _is_gone(holder):
                raise InputError(f"{self.folder} is {said(holder)}. Without --ckpt_path, a new run begins.") from None
            try:
                self._lock.acquire(timeout=ORPHANS)
            except Timeout:
                raise InputError(
                    f"{self.folder} is locked by what process {holder.get('pid')} left behind; end that first."
                ) from None
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "job": job}
        clear_unfinished(self.folder / WRITER)
        write_text(self.folder / WRITER, json.dumps(note) + "\n")

    def release(self) -> None:
        """Give the lock back; the note stays, as it names the job."""
        self._lock.release()


def writer(folder: Path) -> dict[str, Any]:
    """Return the note of the last process that trained in a run folder."""
    try:
        note = json.loads((folder / WRITER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def note_requeued(folder: Path) -> None:
    """Add to the note that the scheduler was asked to start the writer's job again."""
    write_text(folder / WRITER, json.dumps({**writer(folder), "requeued": True}) + "\n")


def is_being_written(folder: Path) -> bool:
    """Return whether a process trains in a run folder now."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return not _is_gone(writer(folder))
    except OSError:  # a folder of somebody else
        return False
    lock.release()
    return False


def said(holder: dict[str, Any]) -> str:
    """Return in words who writes."""
    known = f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
    return f"being written by {known if holder else 'another process'}"


@contextmanager
def shared_files(folder: Path) -> Iterator[None]:
    """For the moment of a change to files that training and evaluation both write: metrics.csv and summary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / SHARED, timeout=60):
        for name in ("metrics.csv", "summary.json"):
            clear_unfinished(folder / name)
        yield


def _is_gone(holder: dict[str, Any]) -> bool:
    """Return whether a process of this machine has ended; of another machine nobody knows."""
    if holder.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        pass
    return False


def _now() -> str:
    return datetime.fromtimestamp(time.time()).astimezone().isoformat(timespec="seconds")
