"""How many predictions were withheld, and how often the others are right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...contracts import module_facts
from ...text.visible import shown_path
from .report import RunReport


class Tally:
    """Counts of rows; what was counted before an interruption goes on.

    Args:
        counts: of an earlier process.
    """

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self.counts: dict[str, int] = {"abstained": 0, "judged": 0, "right": 0, **(counts or {})}
        """Rows without an answer, rows with one of which the right one is known, and how many of these are right."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row, as it is written."""
        self.counts["abstained"] += bool(row.get("abstained"))
        if isinstance(right := row.get("correct"), bool) and not row.get("abstained"):
            self.counts["judged"] += 1
            self.counts["right"] += right

    def facts(self, rows: int) -> dict[str, Any]:
        """Return what came of a threshold, as a summary says it.

        Args:
            rows: all of them.
        """
        abstained, judged = self.counts["abstained"], self.counts["judged"]
        facts: dict[str, Any] = {"abstained": abstained, "coverage": 1 - abstained / rows if rows else None}
        return facts | ({"accuracy": self.counts["right"] / judged, "judged": judged} if judged else {})

    def line(self, rows: int) -> str:
        """Return the same in words."""
        facts = self.facts(rows)
        covered = f" (coverage {facts['coverage']:.1%})" if rows else ""
        right = ""
        if "accuracy" in facts:
            right = f"; of the others {facts['accuracy']:.1%} are right ({facts['judged']:,} have a label)"
        return f"Without an answer: {facts['abstained']:,} of {rows:,} rows{covered}{right}."


def tell(trainer: Trainer, path: Path, tally: Tally, rows: int) -> None:
    """Say what came of a threshold; put that into the summary of a run, where one is kept, beside other predictions.

    Args:
        trainer: that predicted.
        path: of the file.
        tally: of its rows.
        rows: how many there are.
    """
    module = module_facts(trainer.lightning_module)
    facts: dict[str, Any] = {"rows": rows}
    if module.answer_options.threshold is not None:
        rank_zero_info(tally.line(rows))
        facts |= {"threshold": module.answer_options.threshold, **tally.facts(rows)}
    if module.temperature != 1:
        facts["temperature"] = module.temperature
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, RunReport):
            name = path.name if path.parent == callback.path.parent else shown_path(str(path))
            callback.add(trainer, "predictions", {**callback.read().get("predictions", {}), name: facts})
