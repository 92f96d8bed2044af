"""The page: inputs, the answers of one model or of two side by side, examples, and a button for what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from .view import Fields, Prediction, Side, View

FONT = ("system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "sans-serif")
MONO = ("ui-monospace", "Consolas", "Noto Sans Mono", "monospace")
CSS = ".gradio-container {max-width: 1200px !important; margin: 0 auto !important} footer {display: none !important}"

Correct = Callable[[Fields, Prediction, Any], str]
"""Takes what was asked, what was predicted and what is right; returns what to say of it."""


def look() -> dict[str, Any]:
    """Return how the page looks, for `launch`: fonts of the reader's system, nothing from elsewhere."""
    return {"theme": gr.themes.Soft(font=FONT, font_mono=MONO), "css": CSS}


def build(
    title: str,
    view: View,
    sides: Sequence[Side],
    examples: Sequence[Fields] = (),
    examples_from: str = "",
    correct: Correct | None = None,
) -> gr.Blocks:
    """Return the page.

    Args:
        title: its heading.
        view: of the task.
        sides: the models; each has a column.
        examples: to choose from.
        examples_from: what they are called.
        correct: keeps a correction; None leaves the button out.
    """
    page: gr.Blocks = gr.Blocks(title=title, analytics_enabled=False)
    with page:
        gr.Markdown(f"# {title}")
        with gr.Group():
            inputs = view.inputs()
        button = gr.Button(view.button, variant="primary", elem_id="ask")
        if examples:
            gr.Examples([view.values(fields) for fields in examples], inputs, label=examples_from)
        outputs: list[list[Any]] = []
        with gr.Row():
            for side in sides:
                with gr.Column(min_width=300):
                    if len(sides) > 1:
                        gr.Markdown(f"### {side.name}")
                    outputs.append(view.outputs())
        status = gr.Markdown(elem_id="status", container=False)
        asked: Any = gr.State()
        right = [view.correction()] if correct is not None else []
        every = [component for side_outputs in outputs for component in side_outputs]
        emptied = inputs if view.remembers else []
        gr.on(
            [button.click, inputs[-1].submit] if len(inputs) == 1 else [button.click],
            _answering(view, sides, len(inputs), len(emptied), len(right), len(every) // len(sides)),
            [*inputs, *(every if view.remembers else [])],
            [*every, status, asked, *right, *emptied],
            api_name="predict",
        )
        if view.remembers:
            gr.ClearButton([*every, asked], value="New conversation")
        if correct is not None:
            wrong = gr.Button("Wrong: keep this correction", variant="secondary", elem_id="wrong")
            wrong.click(_correcting(correct), [asked, *right], [status], api_name="correct")
    return page


def _answering(view: View, sides: Sequence[Side], inputs: int, emptied: int, right: int, wide: int) -> Any:
    """Return what a press of the button does."""

    def answer(*values: Any) -> Iterator[list[Any]]:
        given, before = values[:inputs], values[inputs:]
        shown: list[list[Any]] = [list(before[n * wide : (n + 1) * wide]) for n in range(len(sides))]
        results: list[list[Any]] = [[gr.skip()] * wide for _ in sides]
        rest: list[Any] = ["", gr.skip(), *[gr.skip()] * right, *[""] * emptied]
        seconds: list[str] = []
        try:
            for number, side in enumerate(sides):
                begun = time.perf_counter()
                fields = view.ask(given, shown[number])
                for prediction in side.answer(fields):
                    results[number] = view.show(fields, prediction, shown[number])
                    yield [*(value for values in results for value in values), *rest]
                seconds.append(f"{time.perf_counter() - begun:.2f} s")
                if number == 0:
                    first = fields, prediction
        except ValueError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error
        rest[0] = f"Answered in {' and '.join(seconds)}."
        rest[1] = {"fields": first[0], "prediction": first[1]}
        if right:
            rest[2] = view.proposal(*first)
        yield [*(value for values in results for value in values), *rest]

    return answer


def _correcting(correct: Correct) -> Any:
    """Return what the button for wrong answers does."""

    def keep(asked: dict[str, Any] | None, right: Any) -> str:
        if asked is None:
            raise gr.Error("There is nothing to correct yet: ask something first.", print_exception=False)
        try:
            return correct(asked["fields"], asked["prediction"], right)
        except ValueError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from error

    return keep
