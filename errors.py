"""Errors that a user can act on."""


class InputError(ValueError):
    """Something the user gave cannot work; the message says what, where, and what would."""


def first_line(error: BaseException) -> str:
    """The first sentence of a library's many-lined message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
