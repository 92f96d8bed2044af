"""What a run came to, in a few facts: what was kept, and why it stopped."""

from __future__ import annotations

from typing import Any

from ..run import Run
from ..section import Section, fill

DONE = {"finished": "finished", "interrupted": "interrupted", "failed": "failed", "running": "running, or killed"}


def overview(run: Run) -> Section:
    """Return the facts and the notices."""
    fit, kept, last = run.entry("fit"), run.entry("fit").get("kept"), run.entry("fit").get("last")
    pairs: list[tuple[str, Any]] = []
    if kind := run.option("model", "class_path"):
        pairs.append(("What", str(kind).rpartition(".")[2]))
    if fit:
        pairs.append(("Training", DONE.get(str(fit.get("status")), fit.get("status"))))
    if fit.get("stopped"):
        pairs.append(("Why it stopped", fit["stopped"]))
    if isinstance(kept, dict):
        pairs.append(("Kept", f"the weights after step {kept['step']:,}"))
    if isinstance(fit.get("best"), float) and run.monitor:
        pairs.append((f"Best {run.monitor}", f"{fit['best']:.4f}"))
    if isinstance(kept, dict) and isinstance(kept.get("gap"), float):
        pairs.append(("Gap of the losses there", f"{kept['gap']:+.4f}"))
    if isinstance(last, dict) and isinstance(last.get("gap"), float) and last != kept:
        pairs.append(("Gap at the end", f"{last['gap']:+.4f}"))
    if isinstance(fit.get("steps"), int):
        pairs.append(("Steps", f"{fit['steps']:,} in {fit.get('epochs', '?')} epochs"))
    if isinstance(fit.get("seconds"), int | float):
        pairs.append(("Time", spell_seconds(fit["seconds"])))
    if isinstance(energy := run.entry("energy").get("kilowatt_hours"), int | float):
        counted = ", ".join(map(str, run.entry("energy").get("counted", [])))
        pairs.append((f"Energy ({counted})", f"{energy:.3g} kWh"))
    return Section("What it came to", fill("overview.html", pairs=pairs, notices=_notices(run)))


def _notices(run: Run) -> list[str]:
    fit = run.entry("fit")
    remarks = [fit["nothing_learned"]] if fit.get("nothing_learned") else []
    if fit.get("left_out"):
        remarks.append(f"{fit['left_out']} steps were left out, as their numbers were none.")
    if isinstance(jumps := fit.get("loss_jumps"), list) and jumps:
        remarks.append(f"The loss jumped {len(jumps)} times.")
    if isinstance(resumed := run.summary.get("resumed"), list) and resumed:
        remarks.append(f"It was resumed {len(resumed)} times.")
    return [str(text) for text in remarks]


def spell_seconds(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, hours = round(seconds / 60), seconds / 3600
    return f"{minutes} min" if minutes < 120 else f"{hours:.1f} h"
