"""SQuAD's JSON: articles of paragraphs of questions (CMRC2018 has the same shape)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import InputError
from ..visible import shown_value
from .rows import Bad, Row, refuse


def is_squad(rows: list[Any]) -> bool:
    """Return whether the entries of a JSON file are such articles."""
    return bool(rows) and isinstance(rows[0], dict) and "paragraphs" in rows[0]


def questions(path: str, articles: list[Any], bad: Bad = refuse) -> Iterator[Row]:
    """Yield one row for each question.

    Args:
        path: for messages.
        articles: what stands under `data`.
        bad: takes what is wrong with one question, which is then passed over.

    Yields:
        The place, and `{"id", "title", "context", "question", "answers": {"text", "answer_start"}}`.

    Raises:
        InputError: where a part is missing.
    """
    for number, article in enumerate(articles):
        place = f"{path} article {number}"
        for paragraph in _part(place, article, "paragraphs", list):
            for question in _part(place, paragraph, "qas", list):
                where = f"{path} question {question.get('id')}" if isinstance(question, dict) else place
                try:
                    row = _row(where, article, paragraph, question)
                except InputError as error:
                    bad(error)
                    continue
                yield where, row


def _row(where: str, article: dict[str, Any], paragraph: dict[str, Any], question: Any) -> dict[str, Any]:
    row = {
        "id": _part(where, question, "id", (str, int)),
        "title": article.get("title", ""),
        "context": _part(where, paragraph, "context", str),
        "question": _part(where, question, "question", str),
    }
    if question.get("answers") is not None:
        answers = _part(where, question, "answers", list)
        row["answers"] = {
            "text": [_part(where, answer, "text", str) for answer in answers],
            "answer_start": [_part(where, answer, "answer_start", int) for answer in answers],
        }
    return row


def _part(where: str, value: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """Return what stands under a name, if it is of its kind."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: {shown_value(value)} where an object with {name!r} should be.")
    if name not in value:
        raise InputError(f"{where}: {name!r} is missing; SQuAD's JSON has it.")
    if not isinstance(value[name], kind) or isinstance(value[name], bool):
        expected = {str: "a text", int: "a number", list: "a list"}.get(kind, "a text")  # type: ignore[arg-type]
        raise InputError(f"{where}: {name!r} is {shown_value(value[name])}, where {expected} should be.")
    return value[name]
