"""What is to be pushed: the export of a run, whole and as it was written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...checkpoints import versions
from ...errors import InputError
from ...storage.checksums import NAME as CHECKSUMS
from ...storage.checksums import changes
from ...storage.whole_folders import is_begun
from ...text.visible import shown_path
from ..run_lock import is_being_written, said, writer
from ..run_names import MOST, names_below, other_names
from .run_card import CARD

CONFIGS = ("config.json", "adapter_config.json")
"""One of these makes a folder an export."""


@dataclass(frozen=True)
class ExportFiles:
    """An export.

    Args:
        folder: where it lies.
        run: the run folder that it is of; null for an export by itself.
        names: of its files, below `folder`.
        own: those that lie there and were not written as part of the export.
    """

    folder: Path
    run: Path | None
    names: list[str]
    own: list[str]

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.folder / name

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file."""
        return {name: self.path(name).stat().st_size for name in self.names}


def find_export(name: str) -> ExportFiles:
    """Return the export that a name means, once all of it is known to be as it was written.

    Args:
        name: `runs/NAME` (its newest version with an export), `runs/NAME/version_N`, or an export's folder.

    Raises:
        InputError: if there is none, a part is missing or was changed, or its run is still training.
    """
    folder, run = _located(Path(name).expanduser(), name)
    if run is not None and is_being_written(run):
        raise InputError(
            f"{shown_path(str(run))} is {said(writer(run))}: its export is not that of its end. Wait until it is done."
        )
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    changed, missing, listed = changes(folder)
    place = shown_path(str(folder))
    if missing:
        raise InputError(f"{place} is not whole: {' and '.join(missing)} {_are(missing)} missing. {_cure(run)}")
    if changed:
        raise InputError(
            f"{place} is not what was exported: {' and '.join(changed)} {_were(changed)} changed or damaged since. "
            f"If you did so yourself, delete {CHECKSUMS} there; else {_cure(run)[0].lower()}{_cure(run)[1:]}"
        )
    if not any(path.endswith((".safetensors", ".bin")) for path in found):
        raise InputError(f"{place} holds no weights. {_cure(run)}")
    own = [path for path in found if listed and path not in (*listed, CHECKSUMS, CARD, "curves.png")]
    return ExportFiles(folder, run, found, own)


def _located(path: Path, name: str) -> tuple[Path, Path | None]:
    """Return the folder of an export, and its run if it is of one."""
    if not os.path.isdir(path):
        beside = other_names(path) if path.parent.is_dir() else ""
        raise InputError(f"There is no run and no export {name}.{beside}")
    if _is_export(path):
        run = path.parent if path.name == "export" and (path.parent / "summary.json").is_file() else None
        return path, run
    for run in [path, *reversed(versions(path))]:
        if _is_export(run / "export"):
            return run / "export", run
    if is_begun(path / "export") or (path / "checkpoints").is_dir() or versions(path):
        raise InputError(
            f"{name} has no export: it was not trained to its end. `fit` with --ckpt_path {name} goes on, and exports "
            "when it is done."
        )
    below = ", ".join(f"{name.rstrip('/')}/{one}" for one in names_below(path)[:MOST])
    raise InputError(
        f"{name} is no run, and no export (it has no config.json)." + (f" Runs in it are: {below}." if below else "")
    )


def _is_export(folder: Path) -> bool:
    return any((folder / name).is_file() for name in CONFIGS)


def _cure(run: Path | None) -> str:
    if run is None:
        return "Export it anew."
    return f"Training on exports anew: `fit` with --ckpt_path {shown_path(str(run))}."


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _were(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"
