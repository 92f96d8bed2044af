"""Folders that take their name when they are whole: killed at each step, written by several at once."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pretune.storage.whole_folders import final_name, is_begun, swapped_in

SLOW = """
import logging, sys, time
from lightning_utilities.core.rank_zero import rank_zero_only
from pretune.storage.whole_folders import swapped_in

rank_zero_only.rank = 0
logging.basicConfig(level=logging.INFO)
with swapped_in(sys.argv[1]) as folder:
    print("begun", flush=True)
    for number in range(40):
        (folder / f"{number}.txt").write_text(sys.argv[2])
        time.sleep(float(sys.argv[3]))
"""
LEFT = (".export.lock", ".export.owner")


def start(script: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def killing(usual: Callable[..., Any], seen: Iterator[int], moment: int) -> Callable[..., Any]:
    """Return a system call before or after which the process is killed, if it is the one."""

    def step(*args: Any, **options: Any) -> Any:
        before, after = next(seen) == moment, next(seen) == moment
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return usual(*args, **options)
        finally:
            if after:
                os.kill(os.getpid(), signal.SIGKILL)

    return step


def write_and_die(target: Path, text: str, moment: int) -> int:
    """Write a folder in a process that is killed before or after a call that changes names or flushes.

    Returns:
        How that ended.
    """
    if (child := os.fork()) == 0:
        seen = count()
        for name in ("mkdir", "rename", "fsync", "rmdir", "unlink"):
            setattr(os, name, killing(getattr(os, name), seen, moment))
        with swapped_in(target) as folder:
            write(folder, text)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write(folder: Path, text: str) -> None:
    (folder / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt"):
        (folder / name).write_text(text)


def fail_to_write(target: Path) -> None:
    with swapped_in(target):
        raise OSError(errno.EIO, f"found {written(target)}")


def written(folder: Path) -> str:
    """What all files of a whole folder hold."""
    (text,) = {(folder / name).read_text() for name in ("a.txt", "deep/b.txt")}
    return text


def test_a_folder_is_swapped_in(tmp_path: Path) -> None:
    target, before = tmp_path / "export", os.umask(0o027)
    try:
        for number in range(2):
            with swapped_in(target) as place:
                assert final_name(place / "deep") == target / "deep"
                assert is_begun(target)
                (place / "deep").mkdir()
                (place / f"{number}.txt").write_text("x")
                (place / f"{number}.txt").chmod(0o600)  # as temporary files have it
            assert sorted(p.name for p in target.iterdir()) == [f"{number}.txt", "deep"]
            assert stat.S_IMODE((target / f"{number}.txt").stat().st_mode) == 0o640
            assert stat.S_IMODE((target / "deep").stat().st_mode) == 0o750
        with pytest.raises(FileNotFoundError), swapped_in(target) as place:
            (place / "half").rename(place / "nowhere" / "half")
    finally:
        os.umask(before)
    assert sorted(p.name for p in target.iterdir()) == ["1.txt", "deep"]
    assert not is_begun(target)
    assert [path.name for path in tmp_path.iterdir() if path.name not in LEFT] == ["export"]


def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_half(tmp_path: Path) -> None:
    outcomes = set()
    for step in count():
        folder = tmp_path / str(step)
        target = folder / "export"
        with swapped_in(target) as place:
            write(place, "old")
        if (code := write_and_die(target, "new", step)) == 0:
            break
        assert code == -signal.SIGKILL
        there = written(target) if target.exists() else "none"
        outcomes.add(there)
        expected = there if there != "none" else "old"
        with pytest.raises(OSError, match=f"found {expected}"):
            fail_to_write(target)
        assert written(target) == expected
        with swapped_in(target) as place:
            (place / "c.txt").write_text("third")
        assert [path.name for path in target.iterdir()] == ["c.txt"]
        assert [path.name for path in folder.iterdir() if path.name not in LEFT] == ["export"]
    assert outcomes == {"old", "none", "new"}


def test_two_writers_take_turns_and_a_killed_one_keeps_nobody(tmp_path: Path) -> None:
    target = tmp_path / "export"
    first = start(SLOW, str(target), "first", "0.08")
    assert first.stdout is not None
    assert first.stdout.readline() == "begun\n"
    second = start(SLOW, str(target), "second", "0")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert f"{target} is being made by process {first.pid} on " in said or first.poll() == 0
    assert first.wait() == 0
    assert {path.read_text() for path in target.iterdir()} == {"second"}
    assert len(list(target.iterdir())) == 40
    third = start(SLOW, str(target), "third", "1")
    assert third.stdout is not None
    assert third.stdout.readline() == "begun\n"
    third.kill()
    third.wait()
    began = time.monotonic()
    with swapped_in(target) as place:
        (place / "a.txt").write_text("fourth")
    assert time.monotonic() - began < 5
    assert [path.name for path in tmp_path.iterdir() if path.name not in LEFT] == ["export"]


def test_what_others_call_old_or_unfinished_stays(tmp_path: Path) -> None:
    for name in ("export.old", "export.unfinished", "export.12345678.unfinished.txt", "export2.12345678.unfinished"):
        (tmp_path / name).mkdir()
    for _ in range(2):
        with swapped_in(tmp_path / "export") as place:
            (place / "a.txt").write_text("x")
    assert len([path for path in tmp_path.iterdir() if path.name not in LEFT]) == 5


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk/export").mkdir(parents=True)
    (tmp_path / "export").symlink_to(tmp_path / "disk/export")
    with swapped_in(tmp_path / "export") as place:
        (place / "a.txt").write_text("x")
    assert (tmp_path / "export").is_symlink()
    assert (tmp_path / "disk/export/a.txt").read_text() == "x"


def test_a_full_disk_is_said_of_the_folder_whatever_a_library_says(tmp_path: Path) -> None:
    target = tmp_path / "export"
    with pytest.raises(OSError, match=rf"No space left on device: '{target}'$"), swapped_in(target):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(OSError, match=rf"Read-only file system: '{target}'$"), swapped_in(target) as place:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(place / "model.onnx"))
    assert not target.exists()
    assert not is_begun(target)
