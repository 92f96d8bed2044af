"""Contexts with endings."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ....errors import InputError
from ..page.view import Fields, Prediction
from .task import Task


class Choices(Task):
    """Of `MultipleChoice`."""

    view = "choices"

    @override
    def usual_columns(self) -> Any:
        data = self.data
        return {
            "context": data.context_column or "context",
            "question": data.question_column,
            "endings": data.endings_column or "endings",
            "label": data.label_column,
        }

    @override
    def settings(self) -> dict[str, Any]:
        return {"question": bool(self.columns["question"])}

    @override
    def sample(self) -> Fields:
        return {"context": "A text.", "question": "", "endings": ["One.", "Two."]}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        names, endings = self.columns["endings"], fields["endings"]
        row = {self.columns["context"]: fields["context"] or ""}
        if self.columns["question"]:
            row[self.columns["question"]] = fields["question"] or ""
        if isinstance(names, list):
            if len(endings) > len(names):
                raise InputError(f"The data have columns for {len(names)} endings, and these are {len(endings)}.")
            return {**row, **dict(zip(names, [*endings, *[""] * (len(names) - len(endings))], strict=True))}
        return {**row, names: endings}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        example = self.data.example("", row, self.columns, labeled=False)
        return {"context": example["context"], "question": example["begins"].strip(), "endings": example["endings"]}

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        count = len(fields["endings"])
        if not isinstance(right, int) or not 1 <= right <= count:
            raise InputError(f"The right ending is {right}; a number from 1 to {count} would work.")
        if right == prediction["prediction"] + 1:
            raise InputError(f"{right} is what was chosen: give the number of the right one first.")
        return {**self.row(fields), self.columns.get("label") or "label": right - 1 + self.data.first_label}
