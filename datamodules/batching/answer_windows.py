"""Questions with a context as windows of tokens, and where their answer is in each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...text.tokenizer import PairFrame
from .token_rows import TokenRow

LEAST_ROOM = 8
"""Tokens of context that a window must have room for."""
USABLE = 1
LOST = {
    0: "the answer is not in the context",
    2: "no window holds the whole answer (raise data.max_length or data.stride)",
    3: "no token of the context stands for the answer",
}
"""Why a question cannot be trained on, by what stands under `usable`."""


def answer_windows(
    where: str,
    answer: tuple[int, int],
    question: list[int],
    ids: list[int],
    begin: np.ndarray,
    end: np.ndarray,
    frame: PairFrame,
    longest: int,
    stride: int,
) -> list[TokenRow]:
    """Return the windows of a question and its context.

    Args:
        where: the row, for messages.
        answer: its first and last token in the context; negative where there is none.
        question: its tokens.
        ids: the tokens of the context.
        begin: (tokens,), the character that each begins with.
        end: (tokens,), the one after its last.
        frame: special tokens around question and context.
        longest: tokens in a window at most.
        stride: tokens of context by which windows overlap.

    Raises:
        InputError: if there is too little room for context, or windows would not overlap.
    """
    room = longest - len(frame) - len(question)
    if room < LEAST_ROOM:
        raise InputError(
            f"{where}: with max_length {longest}, a question of {len(question)} tokens leaves room for "
            f"{max(0, room)} tokens of context: raise data.max_length, or lower data.max_question_length."
        )
    if len(ids) > room and not 0 < stride < room:
        raise InputError(
            f"{where}: the context has {len(ids)} tokens, a window room for {room}: windows must overlap, so "
            f"that no answer is cut, and move on; data.stride is {stride}, {max(1, room // 2)} would work."
        )
    step = room - stride
    first = [*frame.before, *question, *frame.between]
    types = np.repeat(frame.types, [len(frame.before), len(question), len(frame.between), 0, 0])
    windows: list[TokenRow] = []
    for start in [0] if len(ids) <= room else range(0, len(ids) - room + step, step):
        part = slice(start, min(start + room, len(ids)))
        count = part.stop - part.start
        around = (len(first), len(frame.after))
        windows.append(
            {
                "input_ids": [*first, *ids[part], *frame.after],
                "token_type_ids": [*types, *[frame.types[3]] * count, *[frame.types[4]] * len(frame.after)],
                "starts": np.pad(begin[part], around, constant_values=-1),
                "ends": np.pad(end[part], around, constant_values=-1),
                "answer": _within(answer, part, len(first)),
                "usable": [USABLE],
            }
        )
    return windows


def answer_tokens(e: dict[str, Any], begin: np.ndarray, end: np.ndarray) -> tuple[int, int]:
    """Return the first and last token of the answer; -1 where it is lost, -2 where there is none."""
    start, stop = e.get("span", (-2, -2))  # what is to be predicted has none
    if start < 0:
        return start, start
    tokens = np.flatnonzero((end > start) & (begin < stop) & (begin < end))
    return (int(tokens[0]), int(tokens[-1])) if len(tokens) else (-1, -1)


def _within(answer: tuple[int, int], part: slice, before: int) -> list[int]:
    """Return the answer's tokens in a window, counted from its beginning; -1 where it is not in it."""
    first, last = answer
    if first >= 0 and not part.start <= first <= last < part.stop:
        return [-1, -1]
    return [before + first - part.start, before + last - part.start] if first >= 0 else [first, last]


def usability(e: dict[str, Any], answer: tuple[int, int], windows: list[TokenRow]) -> int:
    """Return whether a question can be trained on, or why not (`LOST`)."""
    if answer[0] == -1:
        return 0 if e["span"][0] < 0 else 3
    return USABLE if answer[0] < 0 or any(window["answer"][0] >= 0 for window in windows) else 2
