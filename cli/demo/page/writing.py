"""Texts that a model writes: a prompt that goes on, a source and its target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View


class WritingView(View):
    """A text and what is written to it, word by word.

    Args:
        **settings: `continues`: whether it goes on with the text, and not away from it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.button = "Go on" if settings["continues"] else "Write"

    @override
    def inputs(self) -> list[Any]:
        return [gr.Textbox(label="Beginning" if self.settings["continues"] else "Source", lines=4, elem_id="text")]

    @override
    def outputs(self) -> list[Any]:
        return [gr.Textbox(label="Written", lines=4, interactive=False, elem_classes="written")]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        return {"text": values[0] or ""}

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [fields["text"]]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        before = fields["text"] if self.settings["continues"] else ""
        return [before + prediction["prediction"]]

    @override
    def correction(self) -> Any:
        return gr.Textbox(label="What should be written", lines=3, elem_id="right")

    @override
    def proposal(self, fields: Fields, prediction: Prediction) -> Any:
        return self.show(fields, prediction, [])[0]
