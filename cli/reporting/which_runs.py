"""Which runs are meant by a path."""

from __future__ import annotations

import os
from pathlib import Path

from ...checkpoints import versions
from ...errors import InputError
from .run import Run


def runs_at(path: str | Path) -> list[Run]:
    """Return the run at a path: itself, the newest version of a name, or the newest of each seed.

    Args:
        path: `runs/NAME/version_N`, `runs/NAME`, or a file in a run folder.

    Raises:
        InputError: if there is none.
    """
    root = Path(path)
    if os.path.isfile(root):
        home = root.parent.parent if root.parent.name == "checkpoints" else root.parent
        if not any((home / name).is_file() for name in ("summary.json", "metrics.csv")):
            own = Path("runs", root.stem)  # of a configuration, unless it was given another name
            known = f", such as {own}" if versions(own) else ""
            raise InputError(
                f"{path} lies in no run folder: a run folder would work, runs/NAME or runs/NAME/version_N{known}, or a "
                "file in one. Runs of a configuration are called as its file, unless --name says otherwise."
            )
        root = home
    if not os.path.isdir(root):
        raise InputError(f"There is no run folder {path}.{_neighbors(root)}")
    if not (root / "summary.json").is_file() and not (root / "metrics.csv").is_file():
        seeds = [home for home in sorted(root.glob("seed_*[0-9]")) if "_old_" not in home.name and versions(home)]
        if seeds:
            return [Run(versions(home)[-1]) for home in seeds]
        below = sorted(child.name for child in root.iterdir() if child.is_dir() and versions(child))
        if below and not versions(root):
            raise InputError(f"{path} is no run, but holds some: {', '.join(below[:8])}.")
    return [Run(root)]


def _neighbors(root: Path) -> str:
    home = root.parent
    names = sorted(c.name for c in home.iterdir() if c.is_dir()) if os.path.isdir(home) and home != Path() else []
    return f" In {home} there are: {', '.join(names[:8])}." if names else ""
