"""What cells of tables hold as text: lists and objects."""

from __future__ import annotations

import ast
import json
from typing import Any


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
