"""A text with a colon, which YAML takes for a mapping: said with the quotes that make it a text."""

from __future__ import annotations

import ast
import json


def quotes_for(where: str, value: str) -> str | None:
    """Return what is wrong, and the cure; None of what is no mapping of one word to one text or nothing.

    Args:
        where: the option, which takes a text.
        value: what the parser found, as Python writes it.
    """
    try:
        mapping = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(mapping, dict) or len(mapping) != 1:
        return None
    ((key, rest),) = mapping.items()
    if not isinstance(rest, str | int | float | None):
        return None
    text = f"{key}:" if rest is None else f"{key}: {rest}"
    quoted = json.dumps(text, ensure_ascii=False)
    return (
        f"{where}: {text!r} is read as a mapping, because of its colon; quotes of its own make it a text: {quoted}, on "
        f"the command line within others, as '{quoted}'."
    )
