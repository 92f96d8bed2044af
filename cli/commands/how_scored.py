"""In which precision a score was computed, where a command computes that of a run once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..callbacks.save_config import CONFIG


def how_scored(scored: Any, folder: Path, rows: int) -> str:
    """Return a line on how the score of an export and that of its run were computed: they need not be the same.

    Args:
        scored: the validation, with the name of the metric; None where there was none, and nothing to say.
        folder: of the run.
        rows: that the export is scored on at most.
    """
    if scored is None:
        return ""
    precision = _trained_in(folder)
    others = f"in {precision}" if precision else "in the precision of its training"
    return (
        f"\n{scored.name} of the table: in float32 on the CPU, on up to {rows:,} rows of validation; that of the "
        f"run: {others}, on all of them. They may differ."
    )


def _trained_in(folder: Path) -> str | None:
    """Return the precision that a run's configuration says; None where it does not say."""
    try:
        precision = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))["trainer"]["precision"]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None
    return None if precision is None else str(precision)
