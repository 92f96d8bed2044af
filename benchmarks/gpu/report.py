"""The table: each side beside the better one of ours, with what was to be reached."""

from __future__ import annotations

from typing import Any

from measures import MEASURES, Measure
from store import PACKAGES

HEADER = (
    "| work | side | tokens/s | ms a step | MFU | GB | compiling, s | waits a step | compiled later "
    "| ours against it | target |"
)
MISSING = "not yet measured"
MEMORY_OFF, TIME_OFF = 0.10, 0.15
"""How far `estimate` may be off."""
Results = dict[str, dict[str, Any]]


def table(found: Results, only: list[str] | None = None) -> str:
    """What is there so far, as Markdown; a part for each card."""
    cards = sorted({name.partition(" @ ")[2] for name in found}) or ["a GPU"]
    return "\n\n".join(part for card in cards for part in _card(found, card, only))


def _card(found: Results, card: str, only: list[str] | None) -> list[str]:
    here = {name.partition(" @ ")[0]: result for name, result in found.items() if name.endswith(f"@ {card}")}
    # Of a run that was cut off, points stand each for itself; other figures may be of half of it.
    here = {name: result for name, result in here.items() if "points" in result or not result.get("unfinished")}
    rows, parts = [], []
    for name, measure in MEASURES.items():
        if only and name not in only:
            continue
        results = {side: here.get(f"{name} {side}") for side in measure.sides}
        if measure.kind == "tests":
            parts.append(_tests(results["tests"]))
        elif measure.kind in ("training", "memory"):
            rows += _compared(measure, results)
        else:
            parts.append(_points(measure, results["all"]))
    whole = "\n".join([HEADER, "|---" * 11 + "|", *rows]) if rows else ""
    return [f"### {card}", *filter(None, [whole, *parts]), *_machines(here)]


def _tests(result: dict[str, Any] | None) -> str:
    if result is None:
        return f"Tests on the device: {MISSING}."
    wrong = f"; failed: {', '.join(result['failed'])}" if result["failed"] else ""
    return f"Tests on the device: {result['value']} passed, {len(result['failed'])} failed{wrong}."


def _compared(measure: Measure, results: dict[str, dict[str, Any] | None]) -> list[str]:
    ours = [r["value"] for side, how in measure.sides.items() if how.program != "peer" and how.program != "loop"
            and (r := results[side]) is not None]  # fmt: skip
    if not any(results.values()):
        return [f"| {measure.title} | all | {MISSING} |" + " |" * 8]
    best = (max(ours) if measure.kind == "training" else min(ours)) if ours else None
    lines = []
    for number, (side, how) in enumerate(measure.sides.items()):
        result, mine = results[side], how.program not in ("peer", "loop")
        title = measure.title if number == 0 else ""
        if result is None:
            lines.append(f"| {title} | {how.note} | {MISSING} |" + " |" * 7 + f" {_times(how.target)} |")
            continue
        ratio = best / max(result["value"], 1e-9) if best is not None and not mine else None
        target = _times(how.target, "<= " if measure.kind == "memory" else ">= ")
        if mine and result["value"] == best:
            target = _own(measure)
        cells = [title, how.note, *_figures(measure, result), _times(ratio), target]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _figures(measure: Measure, result: dict[str, Any]) -> list[str]:
    if measure.kind == "memory":
        return [f"{result['seconds']:.1f} s", "", "", f"{result['value'] / 1e9:.2f} more", "", "", ""]
    compiling = result["warmup_seconds"] - 12 * result["ms_step"] / 1000
    return [
        f"{result['value']:,.0f}",
        f"{result['ms_step']:.1f}",
        f"{100 * result['mfu']:.1f}%" if result["mfu"] else "",
        f"{result['gigabytes']:.1f}" if result["gigabytes"] else "",
        f"{max(0.0, compiling):.0f}",
        f"{result['waits_step']:.1f}" if result["waits_step"] is not None else "",
        str(result["compilations"]),
    ]


def _own(measure: Measure) -> str:
    found = [f">= {measure.least:,.0f}" if measure.least else "", f"MFU >= {measure.mfu:.0%}" if measure.mfu else ""]
    return ", ".join(filter(None, found))


def _times(ratio: float | None, before: str = "") -> str:
    return f"{before}{ratio:.2f}x" if ratio is not None else ""


def _points(measure: Measure, result: dict[str, Any] | None) -> str:
    if result is None:
        return f"{measure.title}: {MISSING}."
    lines = _estimates(result["points"]) if measure.kind == "estimate" else _ways(result["points"])
    cut_off = [f"\n(Not all of it: the run {result['unfinished']}.)"] if result.get("unfinished") else []
    return "\n".join([*lines, *cut_off])


def _estimates(points: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        f"| estimate (target: memory within {MEMORY_OFF:.0%}, time within {TIME_OFF:.0%}) | GB estimated | allocated "
        "| off | ms by another size's MFU | measured | off |",
        "|---" * 7 + "|",
    ]
    speeds: dict[str, float] = {}
    for name, of in points.items():
        allocated = of["allocated"]
        memory = f"{allocated / 1e9:.2f} | {of['estimated'] / allocated - 1:+.0%}" if allocated else " | "
        known = of["kind"] in speeds
        seconds = of["flops"] / speeds.setdefault(of["kind"], of["flops"] / of["seconds"])
        time = f"{1000 * seconds:.0f} | {1000 * of['seconds']:.0f} | {seconds / of['seconds'] - 1:+.0%}"
        time = time if known else f"given | {1000 * of['seconds']:.0f} | "
        lines.append(f"| {name} | {of['estimated'] / 1e9:.2f} | {memory} | {time} |")
    return lines


def _ways(points: dict[str, dict[str, Any]]) -> list[str]:
    lines = ["| head and loss, forward and backward | ms | GB |", "|---" * 3 + "|"]
    for name, of in points.items():
        lines.append(f"| {name} | {of.get('error') or format(of['ms'], '.2f')} | {of.get('gigabytes', 0):.2f} |")
    return lines


def _machines(here: Results) -> list[str]:
    keys = ("gpu", "cores", "processor", "python", *PACKAGES)
    kinds = {", ".join(f"{key} {r[key]}" for key in keys if r.get(key)) for r in here.values()}
    dates = sorted({r["date"] for r in here.values()})
    return [f"{'; '.join(sorted(kinds))}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}."] if dates else []
