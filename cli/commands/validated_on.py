"""On which rows a run was validated, as its configuration knows: scores on other rows do not say which is better."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ...checkpoints import versions

ALWAYS = ("dataset", "subset", "splits", "validation_files", "label_column", "label_columns", "split_column")
HELD_OUT = ("train_files", "sources", "validation_fraction")
"""What decides as well where validation rows are held out of those that train."""
GUESSED = ("label_column", "label_columns")
"""What null does not leave out, but has found: it may be what the other side names."""


def options_of(run: Path) -> dict[str, Any]:
    """Return the options of data of a run, or of the newest version below a folder; empty where nothing tells them."""
    for folder in [*reversed(versions(run)), run]:
        try:
            config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue
        data = config.get("data") if isinstance(config, dict) else None
        options = data.get("init_args") if isinstance(data, dict) else None
        return options if isinstance(options, dict) else {}
    return {}


def different_rows(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return in what the rows of two validations differ, as `data.dataset 'a' against 'b'`; empty where unknown.

    Args:
        one: options of data.
        other: those of the other run.
    """
    if not one or not other:
        return []
    apart = one.get("validation_files") or other.get("validation_files")
    differing = []
    for key in ALWAYS if apart else (*ALWAYS, *HELD_OUT):
        if key not in one or key not in other or (key in GUESSED and None in (one[key], other[key])):
            continue
        if _placed(key, one[key]) != _placed(key, other[key]):
            differing.append(f"data.{key} {_shown(one[key])} against {_shown(other[key])}")
    return differing


def _placed(key: str, value: Any) -> Any:
    """Return files by their place, not by their spelling."""
    if not key.endswith("_files") or not value:
        return value or None
    names = [value] if isinstance(value, str) else list(value)
    return sorted({name if "://" in name else os.path.abspath(name) for name in map(str, names)})


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)[:200]
