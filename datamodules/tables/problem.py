"""The kind of problem that a column of labels poses: one label a row, several, or a number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from ...storage.cache import cached
from ...storage.cells import is_missing, listed
from .columns import DECIMAL_COMMA

Problem = Literal["single", "multi", "regression"]


def found_problem(cache_dir: str, key: Any, cells: Callable[[], Iterable[Any]]) -> Problem:
    """Return the kind of problem that labels pose, which is found once and kept in the cache.

    Args:
        cache_dir: of the cache.
        key: what tells these labels from others.
        cells: gives the column of labels.
    """

    def make(folder: Path) -> None:
        (folder / "problem.json").write_text(json.dumps(guess_problem(cells())))

    problem: Problem = json.loads((cached(cache_dir, "problems", key, make) / "problem.json").read_text())
    return problem


def guess_problem(values: Iterable[Any]) -> Problem:
    """Return the kind of problem that labels pose: lists are several labels, fractions are numbers.

    Args:
        values: the cells of the column of labels.
    """
    numbers, fractions, count = 0, 0, 0
    for cell in values:
        value = listed(cell)
        if isinstance(value, list):
            return "multi"
        if is_missing(value):
            continue
        count += 1
        if isinstance(value, str) and DECIMAL_COMMA.fullmatch(value):
            value = value.replace(",", ".")  # the row itself is then refused
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):  # a class may be called nan or infinity
            numbers += 1
            fractions += not number.is_integer()
    return "regression" if fractions and 2 * numbers > count else "single"
