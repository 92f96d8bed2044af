"""The scores of a run as its model card tells them: with intervals and seeds, beside what there was before training."""

from __future__ import annotations

from typing import Any

from ...text.markdown import code, public
from ..commands.significance import interval, range_of
from .intervals import intervals, most_frequent
from .run_facts import RunFacts, numbers, tested

MOST_ENTITIES = 30
"""Rows of the table of entities."""
HIGHEST = 1.0
"""Above, a score is one of those that go up to 100."""


def scores_of_run(run: RunFacts) -> str:
    """Return tables of what a run scored; of one without any score, nothing.

    Args:
        run: what is known of it.
    """
    test = numbers(run.test, "test/")
    kept, before = run.validated(), numbers(_part(run.summary, "before"), "val/")
    seeds, of_seeds = _seeds(run)
    names = list(dict.fromkeys([*test, *kept, *(before if not test else [])]))
    names = [name for name in names if name in test or name in kept]
    if not names:
        return ""
    spans = intervals(run.test, test, run.tested_rows()) if test else {}
    columns: list[tuple[str, dict[str, str]]] = [
        ("test", {name: _number(value) for name, value in test.items()}),
        ("95% interval", {name: f"{_number(one.low)} to {_number(one.high)}" for name, one in spans.items()}),
        (f"over {len(run.seeds)} seeds, {of_seeds}", seeds),
        ("validation", {name: _number(value) for name, value in kept.items()}),
        ("before training", {name: _number(value) for name, value in before.items()}),
    ]
    columns = [(head, cells) for head, cells in columns if any(name in cells for name in names)]
    lines = [f"| metric | {' | '.join(head for head, _ in columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [f"| {code(name)} | {' | '.join(cells.get(name, '') for _, cells in columns)} |" for name in names]
    return "\n".join([*lines, "", *_said(run, test), *_entities(run.test.get("entities"))]).rstrip()


def _said(run: RunFacts, test: dict[str, float]) -> list[str]:
    """Return sentences about the table."""
    lines = []
    if test:
        files = ", ".join(public(file) for file in (run.tested_on or "").split(", "))
        lines.append(f"Tested on {code(files, 400)}." if files else "Tested once.")
    else:
        lines.append("Not tested: these are scores on validation, by which the weights were chosen.")
    if "accuracy" in test and (share := most_frequent(run.test)) is not None:
        lines.append(f"Always the most frequent label would score an accuracy of {_number(share)}.")
    temperature = _part(run.summary, "calibration").get("temperature", 1)
    if "loss" in test and temperature != 1:
        lines.append(
            f"The loss on the test is that of calibrated probabilities (temperature {temperature:.3f}, fitted after "
            "training); on validation and before training it is that of the others."
        )
    if run.seeds:
        spread = "mean and standard deviation, behind them the 95% interval of the mean"
        lines.append(f"Seeds: {', '.join(run.seeds)}; {spread}.")
    else:
        lines.append("One seed: how far another would be from it, these scores do not say.")
    if isinstance(vain := run.fit.get("nothing_learned"), str):
        lines += ["", f"> {code(vain, 400)}"]
    return lines


def _seeds(run: RunFacts) -> tuple[dict[str, str], str]:
    """Return of each metric its mean and spread over the seeds, and on which part of the data."""
    tests = [numbers(tested(summary), "test/") for summary in run.seeds.values()]
    part = "test"
    if not all(tests):
        part = "validation"
        tests = [numbers(_part(_part(summary, "fit"), "kept"), "val/") for summary in run.seeds.values()]
    if len(tests) < 2:
        return {}, part
    shown = {}
    for name in set.intersection(*map(set, tests)):
        values = [scores[name] for scores in tests]
        told = interval(values, within=range_of(name, percent=max(values) > HIGHEST))
        low, high = told["low"], told["high"]
        spread = f" ({_number(low)} to {_number(high)})" if low is not None and high is not None else ""
        shown[name] = f"{_number(told['mean'])} ± {_number(told['std'])}{spread}"
    return shown, part


def _entities(kinds: Any) -> list[str]:
    """Return the table of what each kind of entity scored."""
    if not isinstance(kinds, dict) or not kinds:
        return []
    rows = [(name, scores) for name, scores in kinds.items() if isinstance(scores, dict)]
    lines = ["", "| entity | precision | recall | F1 | in the test |", "|---|---|---|---|---|"]
    for name, scores in rows[:MOST_ENTITIES]:
        cells = [_number(scores.get(key)) for key in ("precision", "recall", "f1")]
        lines.append(f"| {code(name)} | {' | '.join(cells)} | {scores.get('support', '')} |")
    return [*lines, *([f"| and {len(rows) - MOST_ENTITIES:,} more | | | | |"] if len(rows) > MOST_ENTITIES else [])]


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def _part(entry: dict[str, Any], name: str) -> dict[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, dict) else {}
