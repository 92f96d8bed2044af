"""A context with endings: the probability of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View


class ChoicesView(View):
    """A context, endings with one in each line, and where the data have one a question.

    Args:
        **settings: `question`: whether there is one.
    """

    button = "Choose"

    @override
    def inputs(self) -> list[Any]:
        question = [gr.Textbox(label="Question, or how each ending begins")] if self.settings["question"] else []
        return [
            gr.Textbox(label="Context", lines=3, elem_id="text"),
            *question,
            gr.Textbox(label="Endings, one in each line", lines=4),
        ]

    @override
    def outputs(self) -> list[Any]:
        return [gr.Label(label="Probabilities", num_top_classes=10)]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        endings = [line.strip() for line in str(values[-1]).splitlines() if line.strip()]
        return {"context": values[0], "question": values[1] if self.settings["question"] else "", "endings": endings}

    @override
    def values(self, fields: Fields) -> list[Any]:
        question = [fields["question"]] if self.settings["question"] else []
        return [fields["context"], *question, "\n".join(fields["endings"])]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        chances = zip(fields["endings"], prediction["probabilities"], strict=True)
        return [{f"{number}. {ending}": chance for number, (ending, chance) in enumerate(chances, 1)}]

    @override
    def correction(self) -> Any:
        return gr.Number(label="The number of the right ending, from 1", precision=0, elem_id="right")

    @override
    def proposal(self, fields: Fields, prediction: Prediction) -> Any:
        return prediction["prediction"] + 1
