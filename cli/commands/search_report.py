"""What came of a search: a table of its trials, a picture, and the best one as an overlay that `fit` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ...checkpoints import versions
from ...errors import InputError
from ...storage.plain_files import read_json
from ..terminal import say
from .search_plots import draw_search
from .search_space import Space
from .search_study import ended


def report(study: Any, root: Path, space: Space) -> dict[str, Any]:
    """Print the table of trials, draw them, and write the best as an overlay.

    Args:
        study: of Optuna.
        root: the folder of the search.
        space: what was searched.

    Returns:
        `best` (the options), `score`, `trials` (a row for each), and `folder`.

    Raises:
        InputError: if every trial failed.
    """
    rows = [
        {"trial": t.number, "state": t.state.name.lower(), "score": t.user_attrs.get("score"), **t.params}
        | ({"why": t.user_attrs["why"]} if "why" in t.user_attrs else {})
        for t in ended(study)
    ]
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    say("\n" + _table(rows, list(space.entries)))
    if not complete:
        why = str(rows[-1].get("why", "pruned")).rstrip(".") if rows else "none was run"
        raise InputError(f"Every trial failed; the last: {why}.")
    best = max(complete, key=lambda t: (t.value, -t.number))
    tied = [t.number for t in complete if t.value == best.value]
    monitor, score = best.user_attrs["monitor"], best.user_attrs["score"]
    overlay = root / "best.yaml"
    head = (
        f"# The best of {len(rows)} trials (trial {best.number}): {monitor} {score:.4f}.\n"
        f"#   python main.py fit --config ... --config {overlay}\n"
    )
    if len(tied) > 1:
        numbers = f"{', '.join(map(str, tied[:-1]))} and {tied[-1]}"
        head += (tie := f"# Trials {numbers} are tied: validation does not tell them apart, and the first was taken.\n")
        say("\n" + tie[2:].rstrip())
    if vain := _learned_nothing(root / f"trial_{best.number}"):
        head += f"# {vain}\n"
    nested = _nested(best.params, root / f"trial_{best.number}")
    overlay.write_text(head + yaml.safe_dump(nested, sort_keys=False), encoding="utf-8")
    mode = best.user_attrs.get("mode", "max" if best.value == score else "min")  # earlier studies did not say
    draw_search(rows, list(space.entries), monitor, mode, root / "search.png")
    said = f"\nBest: trial {best.number}, {monitor} {score:.4f}. "
    if vain:
        say(f"{said}{vain} {overlay} is as good as any other: train longer, on more data, or in another --space.")
    else:
        say(f"{said}Train with it: --config {overlay}")
    return {"best": best.params, "score": score, "trials": rows, "folder": str(root)}


def _learned_nothing(home: Path) -> str:
    """Return the sentence of a trial's summary that nothing was learned; empty where something was."""
    known = versions(home)
    summary = known[-1] / "summary.json" if known else home
    content = read_json(summary) if summary.is_file() else {}
    fit = content.get("fit") if isinstance(content, dict) else None
    said = fit.get("nothing_learned") if isinstance(fit, dict) else None
    return said if isinstance(said, str) else ""


def _nested(values: dict[str, Any], home: Path) -> dict[str, Any]:
    """Return dotted options as YAML has them."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        first, *path = name.split(".")
        if first in ("model", "data") and path[:1] != ["init_args"]:
            path = ["init_args", *path]
        if path[:2] == ["init_args", "backbone"]:  # in YAML, a part would take the place of the whole
            saved = yaml.safe_load((versions(home)[-1] / "config.yaml").read_text(encoding="utf-8"))
            path, value = ["init_args", "backbone"], saved["model"]["init_args"]["backbone"]
        at = tree.setdefault(first, {})
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return tree


def _table(rows: list[dict[str, Any]], names: list[str]) -> str:
    lines = [f"| trial | score | {' | '.join(names)} | |", "|---" * (len(names) + 3) + "|"]
    for row in sorted(rows, key=lambda row: row["trial"]):
        score = f"{row['score']:.4f}" if row["score"] is not None else "-"
        note = "" if row["state"] == "complete" else f"{row['state']}: {row.get('why', '')}"
        lines.append(f"| {row['trial']} | {score} | {' | '.join(short(row.get(n, '')) for n in names)} | {note} |")
    return "\n".join(lines)


def short(value: Any) -> str:
    """Return a value with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
