"""Which file predictions go to: never over earlier ones, and on where the same prediction was stopped."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...checkpoints import locate
from ...errors import InputError
from ...storage.disk import naming, refuse_unwritable
from ...text.visible import shown_path
from .prediction_files import PART

OFFICIAL = ".json"


class Place:
    """A file to be, with its lock and what is known of its unfinished beginning.

    Args:
        path: its name in the end.
        lock: held as long as it is written.
        state: what an earlier process wrote down; empty where nothing is done.
    """

    def __init__(self, path: Path, lock: FileLock, state: dict[str, Any]) -> None:
        self.path, self.lock, self.state = path, lock, state

    @property
    def official(self) -> Path:
        """Where predictions go in their benchmark's own form."""
        return self.path.with_suffix(OFFICIAL)

    def save(self, identity: str, **state: Any) -> None:
        """Write down how far the file has come; whole or not at all."""
        file = state_file(self.path)
        unfinished = file.with_name(file.name + ".tmp")
        try:
            with naming(self.path), unfinished.open("w", encoding="utf-8") as out:
                out.write(json.dumps({"of": identity, **state}))
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)

    def release(self, finished: bool) -> None:
        """Let others write here; where all is done, leave nothing but the file."""
        if finished:
            state_file(self.path).unlink(missing_ok=True)
        self.lock.release()
        if finished:
            Path(self.lock.lock_file).unlink(missing_ok=True)


def identity_of(*parts: Any) -> str:
    """Return a short name for all that a prediction depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:20]


def weights_of(checkpoint: Path | None, backbone: Any) -> list[Any]:
    """Return what tells weights apart from those that lay at the same place before: names, sizes and times of files."""
    name = getattr(backbone, "name", backbone)
    place = checkpoint or (locate(name) if name else None)
    if not isinstance(place, Path):
        return [name, getattr(backbone, "revision", None)]
    files = sorted(file for file in place.iterdir() if file.is_file()) if place.is_dir() else [place]
    return [[str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def state_file(path: Path) -> Path:
    """Return where it is written down how far a file has come."""
    return path.with_name(f"{path.name}{PART}.json")


def chosen_place(path: Path, identity: str) -> Place:
    """Return the place for predictions that the user named.

    Raises:
        InputError: if something is there already that they do not belong to.
    """
    check_free(path)
    place = _taken(path)
    if place is None:
        raise InputError(f"--predictions_file {path}: another process is writing it.")
    if place.state and place.state.get("of") != identity:
        place.release(finished=False)
        raise InputError(
            f"--predictions_file {path}: {path.name}{PART} there is unfinished, and of another input, model or format. "
            "Name another file, or remove it."
        )
    return place


def check_free(path: Path) -> None:
    """Raise an InputError where a file that the user named cannot be written."""
    if path.exists():
        raise InputError(f"--predictions_file {path}: there is such a file already. Name another one, or remove it.")
    try:
        refuse_unwritable(path, "--predictions_file")
    except InputError as error:
        raise InputError(f"--predictions_file {error}") from error


def next_place(folder: Path, ending: str, identity: str) -> Place:
    """`predictions.jsonl`, or `predictions-2.jsonl`, ...: the one of the same prediction, else the next that is free.

    Args:
        folder: of the run.
        ending: of the file.
        identity: of the prediction.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left: list[Path] = []
    for state in sorted(folder.glob(f"predictions*{ending}{PART}.json")):
        path = state.with_name(state.name.removesuffix(f"{PART}.json"))
        if _state(path).get("of") != identity or path.exists():
            left.append(path)
        elif (place := _taken(path)) is not None:
            return place
    number = 0
    while True:
        number += 1
        path = folder / f"predictions{f'-{number}' if number > 1 else ''}{ending}"
        if any(file.exists() for file in _kept(path)) or (place := _taken(path)) is None:
            continue
        if any(file.exists() for file in _kept(path)):  # meanwhile
            place.release(finished=False)
            continue
        for other in left:
            rank_zero_info(f"{shown_path(str(other))}{PART} is unfinished, and of another input, model or format.")
        return place


def _kept(path: Path) -> list[Path]:
    """Return the files any of which keeps others from beginning at a place.

    A beginning without a word how far it has come, of a process that was killed in its first second, is none of them:
    nobody could go on with it.
    """
    return [path, state_file(path), path.with_suffix(OFFICIAL)]


def _taken(path: Path) -> Place | None:
    """Return the place, unless another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}{PART}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return Place(path, lock, _state(path))


def _state(path: Path) -> dict[str, Any]:
    """Return what was written down of an unfinished file; empty where its beginning is not there to go on with."""
    part = path.with_name(path.name + PART)
    try:
        state: dict[str, Any] = json.loads(state_file(path).read_text(encoding="utf-8"))
        whole = part.stat().st_size >= state["bytes"] and isinstance(state["done"], int)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return state if whole else {}
