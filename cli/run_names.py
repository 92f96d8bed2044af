"""Which names would lead to a run, where one has none."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import versions

MOST = 20


def names_below(folder: Path) -> list[str]:
    """Return the folders in it that hold runs, such as those of seeds."""
    names = (p.name for p in folder.glob("*") if "_old_" not in p.name and versions(p))
    return sorted(names, key=lambda name: (len(name), name))


def other_names(root: Path, name: str | None = None) -> str:
    """Return a sentence with what there is instead: the runs of seeds below a name, else the runs beside it.

    Args:
        root: the folder of the name, without runs of its own.
        name: as it was given; null takes the folder's.
    """
    if below := names_below(root):
        others = f" (or {', '.join(below[1:MOST])})" if below[1:] else ""
        return f" Its runs lie one folder deeper: --name {name or root.name}/{below[0]}{others} takes one."
    known = sorted(p.name for p in root.parent.glob("*") if versions(p)) if root.parent.is_dir() else []
    return f" Runs there are: {', '.join(known[:MOST])}." if known and root.name not in known else ""
