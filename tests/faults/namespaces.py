"""Linux's namespaces: disks of a few kilobytes that nobody else sees, and processes that all have the number 1."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

NEW_MOUNTS, NEW_PROCESSES = 0x00020000, 0x20000000
_libc = ctypes.CDLL(None, use_errno=True)


def own_mounts() -> bool:
    """Gives this process, and those that it starts, mounts of their own; False where that is not allowed."""
    if _libc.unshare(NEW_MOUNTS):
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True).returncode == 0


def mount_small(folder: Path, size: int) -> None:
    """Mounts a disk of so many bytes in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=False)


def as_first_process(run: Callable[[], None]) -> None:
    """Goes on in a new process, the first of a namespace; this one waits for it, and ends as it ends.

    Args:
        run: what the first process does before it goes on.

    Raises:
        PermissionError: where that is not allowed.
    """
    if _libc.unshare(NEW_PROCESSES):
        raise PermissionError("no namespaces for processes")
    pid = os.fork()
    if pid == 0:
        run()
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)
