"""What a model in pretraining wrote, over time."""

from __future__ import annotations

from ..run import Run
from ..section import Section, fill

MOST = 60


def samples(run: Run) -> Section | None:
    """Return the continuations of the prompts, by step; None where there are none."""
    samples = run.summary.get("samples")
    if not isinstance(samples, list) or not samples:
        return None
    rows = [entry for entry in samples if isinstance(entry, dict)][-MOST:]
    return Section("What it wrote", fill("samples.html", rows=rows, left_out=len(samples) - len(rows)))
