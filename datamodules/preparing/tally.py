"""How many documents came to each step, and why some went no further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...storage.prepared import Step


class Tally:
    """Counts the steps of one portion.

    Args:
        steps: by name, in their order.
    """

    def __init__(self, steps: Iterable[str]) -> None:
        self.left_out: dict[str, Counter[str]] = {step: Counter() for step in steps}
        self.came = 0
        """Documents that came to the first step."""

    def facts(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"came": self.came, "left_out": [[step, dict(counts)] for step, counts in self.left_out.items()]}


def summed(portions: Iterable[dict[str, Any]], following: Iterable[dict[str, Any]] = ()) -> list[Step]:
    """Return what the steps did in all.

    Args:
        portions: the facts of each portion.
        following: those of steps that came after, whose documents are those that the others let go on.
    """
    came = 0
    totals: dict[str, Counter[str]] = {}
    for number, facts in [*((0, facts) for facts in portions), *((1, facts) for facts in following)]:
        came += facts["came"] if number == 0 else 0
        for step, counts in facts["left_out"]:
            totals.setdefault(step, Counter()).update(counts)
    steps = []
    for step, left_out in totals.items():
        gone = sum(left_out.values())
        steps.append(Step(step, came, came - gone, dict(sorted(left_out.items()))))
        came -= gone
    return steps
