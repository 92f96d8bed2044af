"""What is said of predictions beside them, such as whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...contracts import DataFacts


class Judge:
    """Adds what the datamodule says of a prediction; of one that was withheld nothing, under the same names.

    Args:
        data: that the inputs are of.
        inputs: the input rows.
    """

    def __init__(self, data: DataFacts, inputs: Sequence[dict[str, Any]]) -> None:
        self.data, self.inputs = data, inputs
        self._names: list[str] | None = None

    @cached_property
    def columns(self) -> list[str]:
        """The columns of the input, of any row, in the order in which they came up."""
        known: list[str] | None = getattr(self.inputs, "columns", None)
        return known or list(dict.fromkeys(name for row in self.inputs for name in row))

    def judged(self, row: dict[str, Any], predicted: dict[str, Any]) -> dict[str, Any]:
        """Return what was predicted, with what is said of it."""
        withheld = predicted.get("abstained") and predicted["prediction"] is None
        said = dict.fromkeys(self.names(predicted)) if withheld else self.data.judged(row, predicted)
        return {**predicted, **said}

    def names(self, predicted: dict[str, Any]) -> list[str]:
        """Return what any row may be said of, of the kind that one row is of."""
        if self._names is None:
            answered = {**predicted, "prediction": ""} if predicted.get("prediction") is None else predicted
            self._names = self.data.judgments(self.columns, answered)
        return self._names
