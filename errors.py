"""Errors that a user can act on, and the check of options that every level shares."""

from __future__ import annotations

import dataclasses
from operator import ge, gt, le, lt
from typing import Any, get_args, get_type_hints

LONGEST = 1_800
"""Characters of a message that somebody reads."""


class InputError(ValueError):
    """Something the user gave cannot work; the message says what, where, and what would.

    Messages quote what was found, which may be a text of any length: of a long one the middle is left out.

    Args:
        message: the sentence for the user.
    """

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        super().__init__(message)


class MisfitError(InputError):
    """A network, or its head, is not the one that was trained: other options would make that one.

    Args:
        message: the sentence for the user.
    """


class MissingFileError(InputError):
    """There is no such file: none of what it would hold was read.

    Args:
        message: the sentence for the user.
    """


def input_error(error: BaseException | None) -> InputError | None:
    """Return the `InputError` that lies under another one: the command line's parser buries those of constructors."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def first_line(error: BaseException) -> str:
    """Return the first sentence of a library's many-lined message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def check_range(
    option: str,
    value: float | None,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    """Refuse a number outside of its range, and one that is no number; null, where an option may be that, passes.

    Args:
        option: how the user calls it, such as `data.batch_size`.
        value: what it is set to.
        least: the smallest that will do.
        above: what all that do are larger than.
        below: what all that do are smaller than.
        most: the largest that will do.

    Raises:
        InputError: naming the option, its value and its range.
    """
    bounds = (("at least", least, ge), ("above", above, gt), ("below", below, lt), ("at most", most, le))
    asked = [(words, bound, holds) for words, bound, holds in bounds if bound is not None]
    if value is not None and not all(holds(value, bound) for _, bound, holds in asked):
        words = " and ".join(f"{words} {bound}" for words, bound, _ in asked)
        raise InputError(f"{option} is {value}; it must be {words}.")


def refuse_nulls(options: Any, prefix: str) -> None:
    """Raise an InputError for null in what has no such value.

    Args:
        options: a group of options, a dataclass.
        prefix: how the user calls it, such as `data.tokenizer`.

    Raises:
        InputError: naming the option, and what it is where it is left out.
    """
    kinds = get_type_hints(type(options))
    for field in dataclasses.fields(options):
        if getattr(options, field.name) is None and type(None) not in get_args(kinds[field.name]):
            usual = "" if field.default is dataclasses.MISSING else f": left out, it is {field.default!r}"
            raise InputError(f"{prefix}.{field.name} is null, which is no value of it{usual}.")
