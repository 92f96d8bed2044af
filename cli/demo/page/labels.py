"""Texts with a label, with several, or with a number: bars of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from typing_extensions import override

from .view import Fields, Prediction, View

MOST_BARS = 10


class LabelsView(View):
    """A text, or a pair of texts, and the probability of each label.

    Args:
        **settings: `labels`; `problem`: single, multi or regression; `pair`: whether there are two texts.
    """

    @override
    def inputs(self) -> list[Any]:
        text = gr.Textbox(label="Text", lines=3, elem_id="text")
        return [text, gr.Textbox(label="Second text", lines=3)] if self.settings["pair"] else [text]

    @override
    def outputs(self) -> list[Any]:
        if self.settings["problem"] == "regression":
            return [gr.Textbox(label="Number", interactive=False)]
        bars = gr.Label(label="Probabilities", num_top_classes=MOST_BARS, show_heading=self._single)
        return [bars] if self._single else [gr.Textbox(label="Labels", interactive=False), bars]

    @property
    def _single(self) -> bool:
        return bool(self.settings["problem"] == "single")

    @override
    def ask(self, values: Sequence[Any], shown: Sequence[Any]) -> Fields:
        return dict(zip(("text", "pair"), values, strict=False))

    @override
    def values(self, fields: Fields) -> list[Any]:
        return [fields["text"], fields.get("pair", "")] if self.settings["pair"] else [fields["text"]]

    @override
    def show(self, fields: Fields, prediction: Prediction, shown: Sequence[Any]) -> list[Any]:
        if self.settings["problem"] == "regression":
            return [f"{prediction['prediction']:.4g}"]
        bars = prediction["probabilities"]
        return [bars] if self._single else [", ".join(prediction["prediction"]) or "none", bars]

    @override
    def correction(self) -> Any:
        if self.settings["problem"] == "regression":
            return gr.Number(label="The right number")
        what = "The right label" if self._single else "The right labels"
        return gr.Dropdown(self.labels, label=what, multiselect=not self._single, elem_id="right")
