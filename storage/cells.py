"""What cells of tables hold as text: lists and objects."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

WHOLE = re.compile("-?[0-9]{1,18}")


DEEPEST = 100
"""Levels of nesting: what walks through values would come to the end of Python's stack at some hundreds."""


def is_too_deep(value: Any) -> bool:
    """Return whether plain data are nested more deeply than anything that is meant."""
    level = [value]
    for _ in range(DEEPEST):
        groups = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        if not groups:
            return False
        level = [item for group in groups for item in group]
    return True


def is_whole(text: str) -> bool:
    """Return whether a text is a whole number: `str.isdigit` says that ² is one, which `int` does not take."""
    return WHOLE.fullmatch(text) is not None


def listed(value: Any) -> Any:
    """Return what a cell holds in JSON's or Python's way of writing lists and objects; anything else as it is."""
    if not isinstance(value, str) or value.strip()[:1] + value.strip()[-1:] not in ("[]", "{}"):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            parsed = read(value.strip())
            return value if is_too_deep(parsed) else parsed
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value


def is_missing(value: Any) -> bool:
    """Return whether a cell holds nothing: null, not a number, or white space. A word, as `none`, is something."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and not value.strip()
