"""Answers in a table, and where they stand in their context."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...text.places import Place, core, same_text


def answers_in(where: str, value: Any) -> list[tuple[str, int]]:
    """Return the answers in a cell, each with the place of its first character, -1 where none is given.

    Args:
        where: the row, for messages.
        value: `{text: [...], answer_start: [...]}`, or a list of `{text, answer_start}` or of texts.

    Raises:
        InputError: for anything else.
    """
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        starts = value.get("answer_start")
        starts = [-1] * len(value["text"]) if starts is None else starts if isinstance(starts, list) else [starts]
        pairs = list(zip(value["text"], starts, strict=False))
        if len(starts) != len(value["text"]):
            raise InputError(f"{where}: {len(value['text'])} answers, but {len(starts)} places.")
    elif isinstance(value, list) and all(isinstance(answer, str | dict) for answer in value):
        pairs = [(a, -1) if isinstance(a, str) else (a.get("text"), a.get("answer_start", -1)) for a in value]
    else:
        raise InputError(
            f"{where}: the answers are {value!r}, where {{text: [...], answer_start: [...]}} or a list of "
            "{text, answer_start} should be; an empty one says that there is no answer."
        )
    for text, start in pairs:
        if not isinstance(text, str) or not isinstance(start, int):
            raise InputError(f"{where}: the answer {text!r} at {start!r} is no text at a number.")
    return [(text, start) for text, start in pairs if text.strip()]


def placed_answer(context: str, text: str, start: int) -> tuple[str, Place, bool]:
    """Return an answer as it stands in its context, its place there (-1: none), and whether it was said otherwise.

    White space and formatting at its edges are left out, and the marks of its last character belong to it. Where the
    place that is said does not hold it, the nearest that does counts, then the nearest in another form of Unicode.
    """
    if start >= 0 and context[start : start + len(text)] == text:
        place = core(context, start, start + len(text))
        return context[slice(*place)], place, False
    bare = text[slice(*core(text, 0, len(text)))]
    exact = [(i, i + len(bare)) for i in range(len(context)) if context.startswith(bare, i)]
    spans = exact or same_text(context, bare)
    if not spans:
        return bare, (-1, -1), False
    place = core(context, *min(spans, key=lambda span: abs(span[0] - start)))
    return context[slice(*place)], place, True
