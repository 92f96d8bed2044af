"""What becomes of a row that cannot be read: an error, unless whoever reads takes it."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InputError

Bad = Callable[[InputError], None]
"""Takes what is wrong with a row; where it returns, the row is passed over."""


def refuse(error: InputError) -> None:
    """Raise the error of a row that nothing is to be done with."""
    raise error
