"""Where a language model is good: loss by how frequent a token is, and by where it stands."""

from __future__ import annotations

from typing import Any

from ...pages import Line, lines
from ..run import Run
from ..section import Section, fill


def tokens(run: Run) -> Section | None:
    """Return the loss of groups of tokens; None where a run did not measure it."""
    entry = run.entry("token_losses")
    charts = []
    for key, title, x in (
        ("by_frequency", "Loss by how often a token occurs", "occurrences of the token among the targets"),
        ("by_position", "Loss by position", "tokens before it in its row or document"),
    ):
        groups = [g for g in entry.get(key, []) if _is_group(g)]
        if len(groups) > 1:
            first, last = groups[0], groups[-1]
            said = f"From {first['loss']:.4g} at {first['from']:,} to {last['loss']:.4g} at {last['from']:,}."
            points = Line("loss", [max(1, g["from"]) for g in groups], [g["loss"] for g in groups])
            charts.append(lines(title, said, [points], x, "loss", x_log=True))
    if not charts:
        return None
    step, targets = entry.get("step", 0), entry.get("targets", 0)
    where = f"Measured in {entry.get('stage', 'validation')}, after step {step:,}, on {targets:,} tokens."
    return Section("Which tokens it knows", fill("charts.html", charts=charts, words=where))


def _is_group(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(k), int | float) for k in ("from", "loss"))
