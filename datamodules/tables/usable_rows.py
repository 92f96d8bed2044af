"""The rows of a table that can be used; the others are counted, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ...errors import InputError, MissingFileError
from ..batching.portions import with_place
from ..sources import SKIPPABLE, Row

Columns = TypeVar("Columns")


def with_columns(
    rows: Iterable[Row], columns_in: Callable[[str, dict[str, Any]], Columns]
) -> Iterator[tuple[str, dict[str, Any], Columns]]:
    """Return rows with what the first of them says about columns.

    Args:
        rows: with their places.
        columns_in: takes the place of a row, and the row, to the columns that hold what is wanted.
    """
    columns: Columns | None = None
    for where, row in rows:
        if columns is None:
            columns = columns_in(where, row)
        yield where, row, columns


class UsableRows:
    """Examples of rows, each with its place.

    Args:
        rows: from `with_columns`.
        example: takes a place, a row, its columns, and `labeled`, to what is kept of the row.
        skip: whether rows that cannot be used are passed over.
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, dict[str, Any], Any]],
        example: Callable[..., dict[str, Any]],
        skip: bool,
    ) -> None:
        self.rows, self.example, self.skip = rows, example, skip
        self.columns: Any = None
        """What holds what; known after the first row."""
        self.skipped: list[str] = []
        """What is wrong with each row that was passed over."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for where, row, columns in self.rows:
            self.columns = columns
            try:
                yield with_place(where, self.example(where, row, columns, True))
            except MissingFileError:  # what is wrong is no row
                raise
            except InputError as error:
                if not self.skip:
                    raise InputError(f"{error} {SKIPPABLE}") from error
                self.skipped.append(str(error))
