"""C3's JSON (DREAM has the same shape): dialogues or texts of several lines, each with questions and choices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import InputError
from ..visible import shown_value
from .rows import Bad, Row, refuse


def is_dialogues(rows: list[Any]) -> bool:
    """Return whether the entries of a JSON file are `[lines, questions, id]`."""
    first = rows[0] if rows else None
    if not isinstance(first, list) or len(first) < 2 or not all(isinstance(part, list) for part in first[:2]):
        return False
    return bool(first[1]) and isinstance(first[1][0], dict) and "question" in first[1][0]


def dialogue_questions(path: str, dialogues: list[Any], bad: Bad = refuse) -> Iterator[Row]:
    """Yield one row for each question, with the lines as its `context`.

    Args:
        path: for messages, or the place of the only entry.
        dialogues: the entries.
        bad: takes what is wrong with an entry or a question, which is then passed over.

    Yields:
        The place, and the question's own fields (`question`, `choice`, `answer`) beside `id` and `context`.

    Raises:
        InputError: where an entry is something else.
    """
    for number, dialogue in enumerate(dialogues):
        place = f"{path} dialogue {number}" if len(dialogues) > 1 else path
        if not isinstance(dialogue, list) or len(dialogue) < 2 or not isinstance(dialogue[1], list):
            bad(InputError(f"{place}: {shown_value(dialogue)} where [lines, questions, id] should be, as C3 has it."))
            continue
        name = dialogue[2] if len(dialogue) > 2 else number
        for place_in, question in enumerate(dialogue[1]):
            where = f"{place} question {place_in}"
            if not isinstance(question, dict):
                bad(InputError(f"{where}: {shown_value(question)} where an object with a question should be."))
                continue
            yield where, {"id": f"{name}-{place_in}", "context": dialogue[0], **question}
