"""Texts that YAML takes for something else, as `yes` and `a: b`: said with the quotes that make them texts."""

from __future__ import annotations

import ast
import json

WORDS = {"True": "yes, on or true", "False": "no, off or false", "None": "null or ~"}
"""How what YAML reads as a truth, or as nothing, may have been written."""


def quotes_for(where: str, value: str) -> str | None:
    """Return what is wrong, and the cure; None of what quotes would not make a text that somebody meant.

    Args:
        where: the option, which takes a text.
        value: what the parser found, as Python writes it.
    """
    if value in WORDS:
        return (
            f'{where}: {WORDS[value]} without quotes is no text in YAML; in quotes it is one, such as "yes", on the '
            'command line within others, as \'["yes", "no"]\'.'
        )
    if value.lstrip("-").isdecimal():
        return f'{where}: {value} is a number; in quotes it is a text: "{value}", on the command line \'"{value}"\'.'
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
