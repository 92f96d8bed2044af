"""Which weights were scored, and on what: scores outlive neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from ...checkpoints import read_checkpoint
from ...contracts import data_facts, files_of


def scored(trainer: Trainer) -> dict[str, Any]:
    """Return the checkpoint's name and step, and the data, of a test that begins; without what nobody knows."""
    source: dict[str, Any] = {}
    if path := trainer.ckpt_path:
        source["checkpoint"] = Path(path).name
        source["step"] = int(read_checkpoint(path, whole=False)["global_step"])
    if (files := files_of(data_facts(trainer.datamodule), "test")) is not None:  # type: ignore[attr-defined]
        source["files"] = files
    return source


def said_of(test: Any) -> str:
    """Return of which weights the scores of a summary are, for messages; empty where it does not say."""
    entry = test.get("scored") if isinstance(test, dict) else None
    if not isinstance(entry, dict) or "checkpoint" not in entry:
        return ""
    return f" of {entry['checkpoint']} (step {entry.get('step')})"
