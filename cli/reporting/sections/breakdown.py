"""Scores of groups of rows: by label or kind of entity, by length, by source."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from markupsafe import Markup

from ...pages import Bar, bars
from ..bootstrap import Estimate, Measure, f1
from ..confusion import Confusion
from ..section import Section, fill
from ..tested import Tested, found_entities, gold_entities

MOST_GROUPS = 30
LENGTHS = 5
"""Groups of rows of similar length, as large as each other."""


def breakdown(tested: Tested) -> Section | None:
    """Return charts of scores of groups, each with its interval and its number of rows."""
    measure = tested.measures[0]
    charts: list[Markup] = []
    for make in (_by_label, _by_length, _by_source):
        groups, name, what = make(tested, measure)
        if len(groups) > 1:
            low = min(groups, key=lambda name: groups[name].value)
            high = max(groups, key=lambda name: groups[name].value)
            said = f"Lowest: {low} ({groups[low].value:.4g}). Highest: {high} ({groups[high].value:.4g})."
            shown = dict(list(groups.items())[:MOST_GROUPS])
            more = f", {MOST_GROUPS} of {len(groups)}" if len(groups) > MOST_GROUPS else ""
            title = f"{what[0].upper()}{what[1:]} {name}{more}"
            entries = [Bar(n, e.value, e.low, e.high, f"{e.rows:,} rows") for n, e in shown.items()]
            charts.append(bars(title, said, entries, what))
    return Section("Where it is good, and where not", fill("charts.html", charts=charts)) if charts else None


Groups = tuple[dict[str, Estimate], str, str]
"""Estimates by group, what they are grouped by, and what is estimated."""


def _by_label(tested: Tested, measure: Measure) -> Groups:
    if tested.kind == "label":
        gold, said = ([str(row[key]) for row in tested.rows] for key in ("label", "prediction"))
        confusion = Confusion.of_rows(gold, said)
        each = dict(zip(confusion.labels, (e["f1"] for e in confusion.estimates()[1]), strict=True))
        return _largest(each), "by label", "F1"
    if tested.kind in ("entities", "labels"):
        pairs = [_sets(tested, number) for number in range(len(tested.rows))]
        names = sorted({name for gold, predicted in pairs for name in (*gold, *predicted)})
        estimates = {name: _of_name(pairs, name).estimate() for name in names}
        return _largest(estimates), "by kind" if tested.kind == "entities" else "by label", "F1"
    return {}, "", ""


def _sets(tested: Tested, number: int) -> tuple[dict[str, set[object]], dict[str, set[object]]]:
    row = tested.rows[number]
    if tested.kind == "labels":
        return {n: {n} for n in row.get("label", [])}, {n: {n} for n in row["prediction"]}
    by_kind: list[dict[str, set[object]]] = []
    for entities in (gold_entities(row), found_entities(row)):
        by_kind.append({})
        for entity in entities:
            by_kind[-1].setdefault(entity[2], set()).add(entity)
    return by_kind[0], by_kind[1]


def _of_name(pairs: list[tuple[dict[str, set[object]], dict[str, set[object]]]], name: str) -> Measure:
    empty: set[object] = set()
    sets = [(gold.get(name, empty), predicted.get(name, empty)) for gold, predicted in pairs]
    counts = [(len(gold & predicted), len(predicted), len(gold)) for gold, predicted in sets if gold or predicted]
    return Measure("f1", np.array(counts, np.float64).reshape(-1, 3), f1)


def _largest(groups: dict[str, Estimate]) -> dict[str, Estimate]:
    """Those of most rows, in their order, where there are too many."""
    most = sorted(groups, key=lambda name: -groups[name].rows)[:MOST_GROUPS]
    return {name: estimate for name, estimate in groups.items() if name in most}


def _by_length(tested: Tested, measure: Measure) -> Groups:
    lengths, unit = tested.lengths
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTHS + 1)).round().astype(int))
    groups = {}
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        last = number == len(edges) - 2
        inside = (lengths >= low) & ((lengths <= high) if last else (lengths < high))
        if inside.any():
            groups[f"{low:,} to {high if last else high - 1:,}"] = measure.estimate(inside)
    return groups, f"by {unit}", measure.name


def _by_source(tested: Tested, measure: Measure) -> Groups:
    names = sorted(set(tested.sources.tolist()))
    return {n or "unknown": measure.estimate(tested.sources == n) for n in names}, "by source", measure.name
