"""Questions about a text."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from typing_extensions import override

from ....errors import InputError
from ..page.view import Fields, Prediction
from .task import Task


class Answers(Task):
    """Of `QuestionAnswering`."""

    view = "answers"

    @override
    def usual_columns(self) -> Any:
        data = self.data
        return {
            "context": data.context_column or "context",
            "question": data.question_column or "question",
            "answers": data.answers_column,
            "id": data.id_column,
        }

    @override
    def sample(self) -> Fields:
        return {"context": "A text.", "question": "What?"}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        return {self.columns[name]: fields[name] or "" for name in ("context", "question")}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        return {name: str(row[self.columns[name]]) for name in ("context", "question")}

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        answer, context = (right or "").strip(), fields["context"]
        if answer == prediction["prediction"]:
            raise InputError("This is what was answered: write first what would have been right.")
        if answer and answer not in context:
            raise InputError(f"{answer!r} does not stand in the context, of which the answer must be a part.")
        answers = {"text": [answer] if answer else [], "answer_start": [context.index(answer)] if answer else []}
        row = {**self.row(fields), self.columns.get("answers") or "answers": answers}
        if self.columns["id"]:
            row[self.columns["id"]] = (
                f"correction-{uuid4().hex[:16]}"  # one of its own, also where the same comes twice
            )
        return row
