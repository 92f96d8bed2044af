"""Hidden words: the five likeliest for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View

MOST_MASKS = 4
"""Of a text, that have bars of their own."""


class MasksView(View):
    """A text with mask tokens.

    Args:
        **settings: `mask`: the token.
    """

    button = "Fill in"

    @override
    def inputs(self) -> list[Any]:
        mask = self.settings["mask"]
        return [gr.Textbox(label=f"Text; {mask} stands for a hidden word", lines=3, elem_id="text")]

    @override
    def outputs(self) -> list[Any]:
        filled = gr.Textbox(label="Filled in", interactive=False)
        bars = [gr.Label(label=f"Mask {number + 1}", visible=number == 0) for number in range(MOST_MASKS)]
        return [filled, *bars]

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        if self.settings["mask"] not in str(values[0]):
            raise ValueError(f"There is nothing to fill in: write {self.settings['mask']} where a word is hidden.")
        return {"text": values[0]}

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [fields["text"]]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        masks = prediction["masks"]
        bars = [
            gr.update(value=masks[number], visible=True)
            if number < len(masks)
            else gr.update(value=None, visible=False)
            for number in range(MOST_MASKS)
        ]
        return [prediction["prediction"], *bars]

    @override
    def correction(self) -> Any:
        return gr.Textbox(label="The right text", lines=2, elem_id="right")
