"""A question about a text: the answer marked in it, and the next best ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .entities import pieces
from .view import Fields, Prediction, View

NONE = "no answer in this text"


class AnswersView(View):
    """A context and a question."""

    button = "Answer"

    @override
    def inputs(self) -> list[Any]:
        return [gr.Textbox(label="Context", lines=6), gr.Textbox(label="Question", elem_id="text")]

    @override
    def outputs(self) -> list[Any]:
        return [
            gr.HighlightedText(label="Answer in the context", color_map={"answer": "green"}),
            gr.Label(label="Best answers", num_top_classes=5),
        ]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        return {"context": values[0], "question": values[1]}

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [fields["context"], fields["question"]]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        answer, best = prediction["prediction"], prediction["n_best"]
        place = next(({**entry, "label": "answer"} for entry in best if answer and entry["text"] == answer), None)
        bars: dict[str, float] = {}
        for entry in best:
            bars[entry["text"]] = max(bars.get(entry["text"], 0.0), entry["score"])
        if not answer:
            bars = {NONE: prediction["score"], **bars}
        return [pieces(fields["context"], [place] if place else []), bars]

    @override
    def correction(self) -> Any:
        return gr.Textbox(label="The right answer, as it stands in the context (empty: there is none)", elem_id="right")
