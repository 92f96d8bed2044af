"""A script's checks: each is a function, told apart in the report that the test reads."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path

CHECKS: list[Callable[[], None]] = []


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS.append(function)
    return function


def run(report: str) -> None:
    """Runs all that were marked, whatever becomes of those before, and writes what happened."""
    found = {}
    for function in CHECKS:
        try:
            function()
            found[function.__name__] = "ok"
        except BaseException:
            found[function.__name__] = traceback.format_exc()
        Path(report).write_text(json.dumps(found))
