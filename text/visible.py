"""Text from anywhere, made harmless for a terminal, a log or a spreadsheet."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, changes colors or turns the order of letters around; tabs and line feeds do not."""
FORMULA = re.compile(r"'*[=+\-@\t]")
"""How a cell begins that a spreadsheet would compute, or that has been kept from it."""
MOST_NAMES = 3
"""Files that a message names."""
LONGEST_VALUE = 60
"""Characters of a value that a message quotes."""


def visible(text: str) -> str:
    r"""Return a text with control characters as their codes: `\x1b` for an escape."""
    return CONTROL.sub(lambda control: _code(control[0]), text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def to_cell(text: str) -> str:
    """Return a text as a cell of a csv file: an apostrophe before what would be a formula, and no control characters.

    Numbers stay as they are. `from_cell` takes the apostrophe off.
    """
    text = visible(text)
    return f"'{text}" if FORMULA.match(text) and not _is_number(text) else text


def from_cell(text: str) -> str:
    """Return the text that `to_cell` made a cell of."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and not text[:1].isspace()


def shown_value(value: Any) -> str:
    """Return a value of the data as messages have it: the beginning of what is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def shown_path(path: str) -> str:
    """Return a path as messages have it: from here on, or its last two parts; a URL as it is."""
    if "://" in path or not os.path.isabs(path):
        return visible(path)
    near = os.path.relpath(path)
    return visible(near if not near.startswith(os.pardir) else os.path.join(*path.rsplit(os.sep, 2)[-2:]))


def shown_paths(paths: Sequence[str]) -> str:
    """Return some of the paths, and how many more there are."""
    names = ", ".join(shown_path(path) for path in paths[:MOST_NAMES])
    return f"{names} and {len(paths) - MOST_NAMES:,} more files" if len(paths) > MOST_NAMES else names
