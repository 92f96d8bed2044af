"""Texts with labels or numbers."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ....errors import InputError
from ..page.view import Fields, Prediction
from .task import Task


class Labels(Task):
    """Of `TextClassification`."""

    view = "labels"

    @override
    def usual_columns(self) -> Any:
        texts = [self.data.text_column or "text", self.data.text_pair_column]
        return [name for name in texts if name], None

    @property
    def _texts(self) -> list[str]:
        names: list[str] = self.columns[0]
        return names

    @property
    def _label(self) -> Any:
        return self.columns[1] or self.data.label_column or "label"

    @override
    def settings(self) -> dict[str, Any]:
        labels = list(self.module.labels or [])
        return {"labels": labels, "problem": self.module.problem, "pair": len(self._texts) > 1}

    @override
    def sample(self) -> Fields:
        return {"text": "A text.", "pair": "Another one."}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        return dict(zip(self._texts, (fields["text"], fields.get("pair", "")), strict=False))

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        return dict(zip(("text", "pair"), (str(row[name]) for name in self._texts), strict=False))

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        if right is None:
            raise InputError("Choose what would have been right first: the field below the answers is empty.")
        if right == prediction["prediction"]:
            raise InputError(f"{right} is what was predicted: choose what would have been right first.")
        row, label = self.row(fields), self._label
        if self.module.problem != "multi":
            return {**row, label: right}
        if isinstance(label, list):
            return {**row, **{name: int(name in right) for name in label}}
        separator = self.data.label_separator
        return {**row, label: list(right) if separator is None else separator.join(right)}
