"""Full and read-only disks: named, not 0, and what was there before stays usable."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from forked import start
from material import choose, fit, is_whole
from namespaces import mount_small, remount, unmount
from trial import Outcome, Trial, crudeness, last_line, refused

PLACES = ("runs", "cache")


def fill(trial: Trial) -> Outcome:
    """Trains where the disk of the runs, or of the cache, becomes full or cannot be written; then makes room."""
    name, place = choose(trial.rng), PLACES[trial.number % 2]
    read_only = trial.number % 5 == 4
    baseline = trial.material.baselines[name]
    trial.material.prepare(trial.folder)
    disk = trial.folder / place
    before = baseline.folder / place
    there = _size(before)
    room = int(there * trial.rng.uniform(0.0, 1.1)) // 4096 * 4096 + 4096
    trial.note(f"{name}, {place}, {'read-only' if read_only else f'{room} bytes free'}")
    mount_small(disk, 1 << 28)
    try:
        earlier = disk / ("earlier" if place == "runs" else "other")
        shutil.copytree(before / "run" if place == "runs" else before, earlier)
        known = _hashes(earlier)
        remount(disk, "ro" if read_only else f"size={_used(disk) + room}")
        command = start(fit(name), trial.folder, log="full.txt")
        command.wait()
        if command.code == 0:
            result = trial.judge(baseline, command)
        elif crude := crudeness(command.said):
            result = trial.outcome("rough", crude)
        elif not refused(command) or not _names(command.said, disk, place):
            result = trial.outcome("rough", f"code {command.code}: {last_line(command.said)}")
        else:
            result = None
        if result is not None and result.verdict != "right":
            return result
        if _hashes(earlier) != known:
            return trial.outcome("lost", "what was there before is another")
        if broken := [path.name for path in disk.rglob("*.ckpt") if not is_whole(path)]:
            return trial.outcome("lost", f"damaged: {', '.join(broken)}")
        if result is not None:
            return result
        remount(disk, f"rw,size={1 << 28}")
        again = start([*fit(name), "--ckpt_path=last"], trial.folder, log="again.txt")
        again.wait()
        return trial.judge(baseline, again)
    finally:
        _keep(disk)


def _names(said: str, disk: Path, place: str) -> bool:
    message = said[said.rindex("error: ") :]
    return str(disk) in message or f"{place}/" in message or f" {place} " in message


def _keep(disk: Path) -> None:
    """Takes the disk away, and leaves what was on it in the folder."""
    copy = disk.with_name(f"{disk.name}-copy")
    shutil.copytree(disk, copy, dirs_exist_ok=True)
    unmount(disk)
    shutil.rmtree(disk, ignore_errors=True)
    copy.rename(disk)


def _size(folder: Path) -> int:
    """Bytes that a folder takes, in pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def _used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def _hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
