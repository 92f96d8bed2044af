"""JSON of anybody: what is wrong with it is told, and its texts are texts."""

from __future__ import annotations

import json
import re
from typing import Any

from ...errors import InputError
from ...storage.cells import DEEPEST, is_too_deep

SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_told: set[str] = set()


def parse_json(text: str, where: str, lined: bool = False) -> Any:
    """Return what a text of JSON says. Halves of characters become U+FFFD, which is said once for each file.

    Args:
        text: of JSON.
        where: the place, for messages.
        lined: whether `where` lacks the line, which is then added.

    Raises:
        InputError: where it is no JSON.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise InputError(f"{where}: nested too deeply.") from error
    except json.JSONDecodeError as error:
        hint = "; if every line is an object of its own, name the file .jsonl" if error.msg == "Extra data" else ""
        place = f"{where}:{error.lineno}" if lined else where
        raise InputError(f"{place}: not JSON at column {error.colno}: {error.msg}{hint if lined else ''}.") from error
    except ValueError as error:  # a number of more digits than Python takes
        raise InputError(f"{where}: a number is too long ({error}).") from error
    if text.count("[") + text.count("{") > DEEPEST and is_too_deep(value):
        raise InputError(f"{where}: nested too deeply.")
    return mended(value, where) if _ESCAPED.search(text) else value


def mended(value: Any, where: str) -> Any:
    """Return a value without halves of characters in its texts: no tokenizer takes them, no file can hold them."""
    if isinstance(value, str):
        if value.isascii() or not SURROGATES.search(value):
            return value
        file = where.rpartition(":")[0] or where
        if file not in _told:
            from lightning_utilities.core.rank_zero import rank_zero_warn  # not in processes that tokenize

            _told.add(file)
            rank_zero_warn(f"{where}: half of a character (a lone surrogate) is read as U+FFFD, here and further on.")
        return SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [mended(item, where) for item in value]
    if isinstance(value, dict):
        return {mended(key, where): mended(item, where) for key, item in value.items()}
    return value
