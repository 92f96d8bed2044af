"""Records in YAML and JSON that a user may have edited, and a crash may have cut: read, or said what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from .cells import is_too_deep


def read_yaml(path: str | Path) -> Any:
    """Return what a file of YAML says.

    Raises:
        InputError: where it cannot be read, or is no YAML.
    """
    import yaml

    try:
        return yaml.safe_load(_text(path))
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # Beside its own errors, the library has those of dates that there are not, and of its own slips.
        raise InputError(f"{path} is not YAML: {_said(error)}.") from error


def read_json(path: str | Path) -> Any:
    """Return what a file of JSON says.

    Raises:
        InputError: where it cannot be read, or is no JSON.
    """
    return parse_json(_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """Return what a text of JSON says.

    Args:
        text: of JSON.
        where: its place, for messages.

    Raises:
        InputError: where it is none.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON ({_said(error)}): it was cut off, or changed since.") from error
    if is_too_deep(content):
        raise InputError(f"{where} is nested too deeply.")
    return content


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8: it is damaged, or was saved in another encoding.") from error


def _said(error: BaseException) -> str:
    """Return what a library says, in a line."""
    message = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
    return (message[:300] or type(error).__name__).rstrip(".")
