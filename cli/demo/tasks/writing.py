"""Sources with targets, and instructions with answers."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ....text.chat import messages_in
from ..page.view import Fields, Prediction
from .task import Task, required


class Sources(Task):
    """Of `SequenceToSequence`."""

    view = "writing"

    @override
    def usual_columns(self) -> Any:
        return self.data.source_column or "source", self.data.target_column

    @override
    def settings(self) -> dict[str, Any]:
        return {"continues": False}

    @override
    def sample(self) -> Fields:
        return {"text": "A text."}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        return self._row(fields["text"] or "", "")

    def _row(self, source: str, target: str) -> dict[str, Any]:
        row: dict[str, Any] = {}
        _put(row, self.columns[0], source)
        if target or "." in self.columns[0]:  # of a translation, both languages must be there
            _put(row, self.columns[1] or self.data.target_column or "target", target)
        return row

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        return {"text": self.data.example("", row, (self.columns[0], None), labeled=False)["source"]}

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        return self._row(fields["text"], required(right, "what should be written"))


def _put(row: dict[str, Any], column: str, value: str) -> None:
    """Set a column; dots lead into objects."""
    *objects, name = column.split(".")
    for key in objects:
        row = row.setdefault(key, {})
    row[name] = value


class Instructions(Task):
    """Of `InstructionTuning`: conversations, or instructions with columns of their own."""

    view = "chat"

    @override
    def usual_columns(self) -> Any:
        named = self.data.named_columns
        if self.data.messages_column or not any(named.values()):
            return {"messages": self.data.messages_column or "messages"}
        return {**named, "instruction": named["instruction"] or "instruction"}

    @override
    def settings(self) -> dict[str, Any]:
        return {"turns": "messages" in self.columns}

    @override
    def sample(self) -> Fields:
        return {"messages": [{"role": "user", "content": "Hello."}]}

    @override
    def row(self, fields: Fields) -> dict[str, Any]:
        if "messages" in self.columns:
            return {self.columns["messages"]: fields["messages"]}
        others = {self.columns[name]: "" for name in ("system", "input") if self.columns[name]}
        return {**others, self.columns["instruction"]: fields["messages"][-1]["content"]}

    @override
    def fields(self, row: dict[str, Any]) -> Fields:
        if "messages" in self.columns:
            column = self.columns["messages"]
            turns = [dict(turn) for turn in messages_in("", row[column], column)]
            return {"messages": turns}
        asked = str(row[self.columns["instruction"]])
        about = str(row.get(self.columns["input"] or "") or "")
        return {"messages": [{"role": "user", "content": f"{asked}\n\n{about}".strip()}]}

    @override
    def corrected(self, fields: Fields, prediction: Prediction, right: Any) -> dict[str, Any]:
        answer, row = required(right, "what should be answered"), self.row(fields)
        if "messages" in self.columns:
            turns = [*fields["messages"], {"role": "assistant", "content": answer}]
            return {self.columns["messages"]: turns}
        return {**row, self.columns["output"] or "output": answer}
