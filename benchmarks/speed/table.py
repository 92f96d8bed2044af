"""The tables: medians, ratios and targets, and whether the sides did the same work."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from store import PACKAGES
from works import WORKS, Work

ResultsOf = Callable[[str, str], list[dict[str, Any]]]
"""Work and side to the results."""
UNITS = {"training": "tokens/s", "whole": "s", "memory": "MB"}
HEADER = "| work | side | median | lowest to highest | ours against it | target | padding | MFU | runs |"
MISSING = "not yet measured"


def table(works: list[str], results_of: ResultsOf) -> str:
    """What is there so far, as Markdown."""
    lines = [line for name in works if WORKS[name].kind != "series" for line in compared(name, results_of)]
    parts = ["\n".join([HEADER, "|---" * 9 + "|", *lines])] if lines else []
    parts += [points(name, results_of) for name in works if WORKS[name].kind == "series"]
    return "\n\n".join([*parts, *machines(works, results_of)])


def compared(name: str, results_of: ResultsOf) -> list[str]:
    """The rows of a work: its sides, and the best of ours against each of the others."""
    work = WORKS[name]
    found = {side: results_of(name, side) for side in work.sides}
    middle = {side: statistics.median(r["value"] for r in results) for side, results in found.items() if results}
    mine = [side for side, how in work.sides.items() if how.program == "ours"]
    if not middle:
        return [f"| {work.title} | all | {MISSING} | | | | | | |"]
    best = _best(work, [middle[side] for side in mine if side in middle])
    lines = []
    for number, (side, how) in enumerate(work.sides.items()):
        title = work.title if number == 0 else ""
        if side not in middle:
            lines.append(f"| {title} | {how.note} | {MISSING} | | | {_times(how.target)} | | | |")
            continue
        values = [r["value"] for r in found[side]]
        ratio = _ratio(work, best, middle[side]) if best is not None and side not in mine else None
        one = name == "scaling-processes" and side == "one"
        if one and "ours" in middle:
            ratio = middle["ours"] / middle["one"]
        extra = [_share(found[side], "padding"), _share(found[side], "mfu"), str(len(values))]
        spread = f"{_number(work, min(values))} to {_number(work, max(values))}"
        score = f", score {100 * statistics.mean(r['score'] for r in found[side]):.1f}" if work.kind == "whole" else ""
        cells = [title, how.note, f"{_number(work, middle[side])} {UNITS[work.kind]}{score}", spread]
        lines.append(f"| {' | '.join([*cells, _times(ratio), _times(how.target), *extra])} |")
    return lines


def _best(work: Work, values: list[float]) -> float | None:
    if not values:
        return None
    return max(values) if work.kind == "training" else min(values)


def _ratio(work: Work, ours: float, other: float) -> float:
    """More is better, and less of memory."""
    return other / ours if work.kind == "whole" else ours / max(other, 1e-9)


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}x" if ratio is not None else ""


def _number(work: Work, value: float) -> str:
    return f"{value / 1e6:,.0f}" if work.kind == "memory" else f"{value:,.0f}"


def _share(results: list[dict[str, Any]], key: str) -> str:
    shares = [r[key] for r in results if r.get(key) is not None]
    return f"{100 * statistics.median(shares):.1f}%" if shares else ""


def points(name: str, results_of: ResultsOf) -> str:
    """A series as a table of its own."""
    work = WORKS[name]
    results = results_of(name, "ours")
    if not results:
        return f"{work.title}: {MISSING}."
    lines = [f"| {work.title} | ms a step | CPU ms a step | tokens/s |", "|---" * 4 + "|"]
    for point, found in results[0]["points"].items():
        step, worked = (f"{found[key]:,.1f}" if key in found else "" for key in ("ms_step", "cpu_ms_step"))
        lines.append(f"| {point} | {step} | {worked} | {found['value']:,.0f} |")
    return "\n".join(lines)


def profiles(works: list[str], results_of: ResultsOf) -> str:
    """Milliseconds of a step by kind of operation, the medians of each side."""
    parts = []
    here = [name for name in works if WORKS[name].kind == "training"]
    for name in here:
        sides = {side: r for side in WORKS[name].sides if (r := results_of(name, side))}
        if not sides:
            parts.append(f"{WORKS[name].title}: {MISSING}.")
            continue
        notes = [WORKS[name].sides[side].note for side in sides]
        lines = [f"| {WORKS[name].title}, ms | {' | '.join(notes)} |", "|---" * (len(notes) + 1) + "|"]
        kinds = dict.fromkeys(kind for results in sides.values() for r in results for kind in r["operations"])
        for kind in kinds:
            cells = [statistics.median(r["operations"][kind] for r in results) for results in sides.values()]
            lines.append(f"| {kind} | {' | '.join(f'{cell:,.1f}' for cell in cells)} |")
        whole = [statistics.median(r["ms_step"] for r in results) for results in sides.values()]
        lines.append(f"| whole step | {' | '.join(f'{cell:,.1f}' for cell in whole)} |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *machines(here, results_of)])


def machines(works: list[str], results_of: ResultsOf) -> list[str]:
    """With what it was measured; differences show."""
    keys = ("cores", "threads", "processor", "instructions", "gpu", "precision", "python", *PACKAGES)
    found = [r for name in works for side in WORKS[name].sides for r in results_of(name, side)]
    kinds = {", ".join(f"{key} {r[key]}" for key in keys if r.get(key)) for r in found}
    dates = sorted({r["date"] for r in found})
    return [f"{'; '.join(sorted(kinds))}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}."] if found else []


# ---------------------------------------------------------------------- the same work?


def unequal(works: list[str], results_of: ResultsOf) -> list[str]:
    """What the sides of a work should share and do not."""
    wrong = []
    for name in works:
        work = WORKS[name]
        results = {side: r[0] for side in work.sides if (r := results_of(name, side))}
        if work.kind == "training" and name != "scaling-processes" and "ours" in results:
            for side, found in results.items():
                wrong += [f"{name} {side}: {what}" for what in differences(work, results["ours"], found)]
    return wrong


def differences(work: Work, ours: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Between two results; a new head's first loss depends on its seed, and so do masks.

    The Trainer divides by the labels before they are shifted, which lowers its loss of causal modeling a little.
    """
    found = []
    for key, allowed in (
        ("parameters", 0.0),
        ("tokens_step", 0.02 if work.equal_batches else None),
        ("samples_step", 0.02 if work.task == "classification" else None),
        ("first_loss", 0.35 if work.task == "classification" else 0.04),
    ):
        if allowed is not None and abs(ours[key] - other[key]) > allowed * abs(ours[key]):
            found.append(f"{key} {other[key]:,.3f}, ours {ours[key]:,.3f}")
    return found
