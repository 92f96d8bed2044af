"""What a page must know of a task's data: which columns the fields are, and the row that a correction is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ....errors import InputError
from ..page.view import Fields, Prediction

MOST_TRIED = 200
"""Rows that are looked at for examples."""


class Task(ABC):
    """The base of the tasks.

    Args:
        module: that predicts; its labels are known once it is loaded.
        data: its datamodule, of whose columns rows are made.
    """

    view: str
    """The name of its view (`page.views`)."""

    def __init__(self, module: Any, data: Any) -> None:
        self.module, self.data = module, data
        self.columns: Any = self.usual_columns()

    def read_columns(self, row: dict[str, Any]) -> None:
        """Take the columns as the datamodule finds them in a row of its own."""
        for labeled in (True, False):
            try:
                self.columns = self.data.columns("", row, labeled=labeled)
                return
            except InputError:
                continue

    @abstractmethod
    def usual_columns(self) -> Any:
        """Return the columns as options name them, where no row is at hand."""

    def settings(self) -> dict[str, Any]:
        """Return what the view is made from: plain data."""
        return {}

    @abstractmethod
    def sample(self) -> Fields:
        """Return fields that can be predicted."""

    @abstractmethod
    def row(self, fields: Fields) -> dict[str, Any]:
        """Return the row that `predict` would read."""

    @abstractmethod
    def fields(self, row: dict[str, Any]) -> Fields:
        """Return the fields of a row of the data."""

    def finished(self, prediction: Prediction) -> Prediction:
        """Return a prediction with what the view needs besides, of the row that was just predicted."""
        return prediction

    @abstractmethod
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        """Return the row to train on.

        Args:
            fields: that were asked.
            prediction: that was wrong.
            right: what stands in the view's component for corrections.

        Raises:
            InputError: if that is no correction.
        """

    def example_rows(self, split: str) -> Iterator[dict[str, Any]]:
        """Yield rows of a split."""
        yield from (row for _, row in islice(self.data.source.rows(split), MOST_TRIED))


def required(right: Any, what: str) -> str:
    """Return a text that was filled in.

    Args:
        right: what stands in the component.
        what: it should say, for the message.

    Raises:
        InputError: if it is empty.
    """
    if not isinstance(right, str) or not right.strip():
        raise InputError(f"Say {what} first: the field below the answers is empty.")
    return right
