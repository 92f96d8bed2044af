"""What cells of tables hold as text: lists and objects."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

WHOLE = re.compile("-?[0-9]{1,18}")


def is_whole(text: str) -> bool:
    """Whether a text is a whole number: `str.isdigit` has it that ² is one, which `int` does not take."""
    return WHOLE.fullmatch(text) is not None


def listed(value: Any) -> Any:
    """What a cell holds in JSON's or Python's way of writing lists and objects; anything else as it is."""
    if not isinstance(value, str) or value.strip()[:1] + value.strip()[-1:] not in ("[]", "{}"):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return value
