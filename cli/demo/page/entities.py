"""Entities, or tags of words, marked in their text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View

Pieces = list[tuple[str, str | None]]


class EntitiesView(View):
    """A text, with what was found in it.

    Args:
        **settings: `labels`: of the spans.
    """

    @override
    def inputs(self) -> list[Any]:
        return [gr.Textbox(label="Text", lines=3, elem_id="text")]

    @override
    def outputs(self) -> list[Any]:
        return [gr.HighlightedText(label="Found", show_legend=True, combine_adjacent=False)]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        return {"text": values[0]}

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [fields["text"]]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        return [pieces(prediction["text"], prediction["spans"])]

    @override
    def correction(self) -> Any:
        return gr.HighlightedText(
            label="Right: mark words and choose their label", interactive=True, elem_id="right", show_legend=True
        )

    @override
    def proposal(self, fields: Fields, prediction: Prediction) -> Any:
        return pieces(prediction["text"], prediction["spans"])


def pieces(text: str, spans: Sequence[dict[str, Any]]) -> Pieces:
    """Return a text in pieces, each with its label or None.

    Args:
        text: whole.
        spans: `start`, `end` (in characters) and `label` of each, in order.
    """
    divided: Pieces = []
    at = 0
    for span in spans:
        if span["start"] > at:
            divided.append((text[at : span["start"]], None))
        divided.append((text[span["start"] : span["end"]], span["label"]))
        at = span["end"]
    if at < len(text) or not divided:
        divided.append((text[at:], None))
    return divided
