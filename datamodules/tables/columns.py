"""Which column of a table holds what: as the user says, else by the usual names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ...storage.cells import is_missing, listed
from ...text import readers

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
"""A number as many countries write it, which is none here."""
LARGEST = 1e18
"""Of the numbers to be learned: the loss is made of their squares, in float32."""


def find_column(where: str, row: dict[str, Any], option: str, name: str | None, usual: Sequence[str]) -> str:
    """Return the column that an option names, else the first of the usual names that is there.

    Args:
        where: the place, for messages.
        row: the first row.
        option: the option's name, such as `text_column`.
        name: its value.
        usual: names to look for.

    Raises:
        InputError: listing the columns there are.
    """
    column = name or next((usual_name for usual_name in usual if usual_name in row), None)
    if column is None:
        raise InputError(f"{where}: which column is it? Set data.{option} to one of: {', '.join(row)}.")
    readers.require_columns(where, row, [column])
    return column


def text_in(where: str, row: dict[str, Any], column: str) -> str:
    """Return the text in a column.

    Raises:
        InputError: if there is none.
    """
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: the text in column {column!r} is {'empty' if not value else f'{value!r}'}.")
    return value


def label_in(where: str, row: dict[str, Any], column: str) -> str:
    """Return the label in a column as a string.

    Raises:
        InputError: if there is none, or it is neither a word nor an integer.
    """
    return label_of(where, row.get(column), f"column {column!r}")


def label_of(where: str, value: Any, place: str) -> str:
    """Return a label as a string.

    Args:
        where: the row, for messages.
        value: what stands there.
        place: where in the row, for messages.

    Raises:
        InputError: if there is none, or it is neither a word nor an integer.
    """
    if is_missing(value):
        raise InputError(f"{where}: there is no label in {place} (it is {value!r}).")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas turns integers into floats where one is missing
    if isinstance(value, float | list | dict):
        raise InputError(f"{where}: the label {value!r} in {place} is neither a word nor an integer.")
    return str(value).strip()


def labels_in(where: str, row: dict[str, Any], column: str | list[str], separator: str | None) -> list[str]:
    """Return all labels of a row.

    Args:
        where: the row, for messages.
        row: all its columns.
        column: that of the labels, as a list or in one text; or those that hold 1 where a row has the label.
        separator: divides labels in one text.

    Raises:
        InputError: if there is no list of labels, or neither 0 nor 1.
    """
    if isinstance(column, list):
        for name in column:
            if str(row.get(name)).lower() not in ("0", "1", "0.0", "1.0", "true", "false"):
                raise InputError(f"{where}: column {name!r} holds {row.get(name)!r}, where 0 or 1 should be.")
        return [name for name in column if str(row[name]).lower() in ("1", "1.0", "true")]
    value = row.get(column)
    if isinstance(value, str) and separator is not None:
        return [part.strip() for part in value.split(separator) if part.strip()]
    value = listed(value)
    if not isinstance(value, list):
        raise InputError(
            f"{where}: {value!r} in column {column!r} is no list of labels; data.label_separator divides a text."
        )
    return [label_of(where, label, f"the list in column {column!r}") for label in value]


def number_in(where: str, row: dict[str, Any], column: str) -> float:
    """Return the number in a column.

    Raises:
        InputError: if there is none.
    """
    value = row.get(column)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or isinstance(value, bool):
        cure = "data.problem is regression"
        if isinstance(value, str) and DECIMAL_COMMA.fullmatch(value):
            meant = value.strip().replace(",", ".")
            cure = f"a decimal comma? {meant} would work; data.problem: single takes it as a class"
        raise InputError(f"{where}: {value!r} in column {column!r} is not a number ({cure}).")
    if abs(number) > LARGEST:
        raise InputError(
            f"{where}: {value!r} in column {column!r} is too large a number to be learned: {LARGEST:g} is the "
            "largest, as the loss is made of squares in float32. Divide the column."
        )
    return number
