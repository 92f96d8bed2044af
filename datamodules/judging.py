"""The base of the datamodules whose predictions are right or wrong: rows to predict may have labels, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .labeled import LabeledDataModule

FIRST_ROWS = 1_000
"""Rows to predict that tell what all have in common, where nothing else does."""


class JudgingDataModule(LabeledDataModule):
    """Labeled rows with one right answer each. A subclass says in `is_right` whether a prediction is that."""

    def is_right(self, row: dict[str, Any], predicted: dict[str, Any]) -> bool | None:
        """Return whether a prediction is right; None where the label is none that could be predicted.

        Args:
            row: the input row.
            predicted: what was predicted for it.

        Raises:
            InputError: if the row has no label, or one that cannot be read.
        """
        raise TypeError(f"{type(self).__name__} must define `is_right`.")

    def can_be_right(self, predicted: dict[str, Any]) -> bool:
        """Return whether a prediction is of a kind that is right or wrong; a number is near or far."""
        return True

    def judged(self, row: dict[str, Any], predicted: dict[str, Any]) -> dict[str, Any]:
        """Return `correct`, where the row has a label."""
        if "correct" in row or not self.can_be_right(predicted):
            return {}
        try:
            right = self.is_right(row, predicted)
        except InputError:  # rows to predict need no labels
            return {}
        return {} if right is None else {"correct": right}

    def judgments(self, columns: Sequence[str], predicted: dict[str, Any]) -> list[str]:
        """Return `correct`, where there is a column of labels."""
        if "correct" in columns or not self.can_be_right(predicted):
            return []
        try:
            self.columns("", dict.fromkeys(columns, ""), True)
        except InputError:
            return []
        return ["correct"]
