"""Rows of a file with their places, and what becomes of one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import InputError

Row = tuple[str, dict[str, Any]]
"""Where a row stands, for messages (`reviews.csv:12`), and its values by column."""
Bad = Callable[[InputError], None]
"""Takes what is wrong with a row; where it returns, the row is passed over."""


def refuse(error: InputError) -> None:
    """Raise the error of a row, which is what is done with it unless whoever reads takes it."""
    raise error
