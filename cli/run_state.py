"""What a run says of its own end, and what whoever uses its weights before that is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .run_lock import is_being_written, said, writer


def state_of(run: Path) -> dict[str, Any]:
    """Return what `summary.json` says of a run's training."""
    try:
        state = json.loads((run / "summary.json").read_text(encoding="utf-8")).get("fit", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def mention_end(run: Path) -> None:
    """Say in a line that a run, whose weights are about to be used, did not come to its end, or has not yet."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_info  # here: `compare` needs only the folders

    if (status := (state := state_of(run)).get("status")) in (None, "finished"):
        return
    if status == "running" and is_being_written(run):
        rank_zero_info(f"{run} is unfinished, it is {said(writer(run))}: these weights may not be its best in the end.")
        return
    why = str(state.get("stopped", "it was killed")).rstrip(".")
    what = "has failed" if status == "failed" else "is unfinished"
    rank_zero_info(f"{run} {what} ({why}): these weights are the best of what it trained so far, or its last.")
