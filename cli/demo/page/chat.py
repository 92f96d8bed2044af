"""Instructions and conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View


class ChatView(View):
    """A conversation with a model.

    Args:
        **settings: `turns`: whether what was said before is a part of the next question; what was trained on single
            instructions answers each by itself.
    """

    button = "Send"
    remembers = True

    @override
    def inputs(self) -> list[Any]:
        each = "" if self.settings["turns"] else " (each is answered by itself)"
        return [gr.Textbox(label=f"Message{each}", lines=2, elem_id="text")]

    @override
    def outputs(self) -> list[Any]:
        return [gr.Chatbot(label="Conversation", height=360, buttons=["copy"], feedback_options=None)]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        before = messages(shown[0]) if self.settings["turns"] else []
        return {"messages": [*before, {"role": "user", "content": values[0] or ""}]}

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [next(turn["content"] for turn in reversed(fields["messages"]) if turn["role"] == "user")]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        answer = {"role": "assistant", "content": prediction["prediction"]}
        return [[*messages(shown[0]), fields["messages"][-1], answer]]

    @override
    def correction(self) -> Any:
        return gr.Textbox(label="The right answer", lines=3, elem_id="right")


def messages(shown: Any) -> list[dict[str, str]]:
    """Return what a chatbot shows as plain messages."""
    return [{"role": turn["role"], "content": _text(turn["content"])} for turn in shown or []]


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in parts)
