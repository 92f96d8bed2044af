"""Errors that a user can act on."""

LONGEST = 1_800
"""Characters of a message that somebody reads."""


class InputError(ValueError):
    """Something the user gave cannot work; the message says what, where, and what would.

    Messages quote what was found, which may be a text of any length: of a long one the middle is left out.
    """

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        super().__init__(message)


class MisfitError(InputError):
    """A network, or its head, is not the one that was trained: other options would make that one."""


def input_error(error: BaseException | None) -> InputError | None:
    """The `InputError` that lies under another one: the command line's parser buries those of constructors."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def first_line(error: BaseException) -> str:
    """The first sentence of a library's many-lined message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
