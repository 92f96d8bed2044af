"""SQuAD's JSON: articles of paragraphs of questions (CMRC2018 has the same shape)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import InputError

Row = tuple[str, dict[str, Any]]


def is_squad(rows: list[Any]) -> bool:
    """Whether the entries of a JSON file are such articles."""
    return bool(rows) and isinstance(rows[0], dict) and "paragraphs" in rows[0]


def questions(path: str, articles: list[Any]) -> Iterator[Row]:
    """One row for each question.

    Args:
        path: for messages.
        articles: what stands under `data`.

    Yields:
        The place, and `{"id", "title", "context", "question", "answers": {"text", "answer_start"}}`.

    Raises:
        InputError: where a part is missing.
    """
    for number, article in enumerate(articles):
        where = f"{path} article {number}"
        try:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    where = f"{path} question {question.get('id')}"
                    answers = question.get("answers")
                    row = {"id": question["id"], "title": article.get("title", ""), "context": paragraph["context"]}
                    row["question"] = question["question"]
                    if answers is not None:
                        row["answers"] = {
                            "text": [answer["text"] for answer in answers],
                            "answer_start": [answer["answer_start"] for answer in answers],
                        }
                    yield where, row
        except (KeyError, TypeError) as error:
            raise InputError(f"{where}: {error} is missing; SQuAD's JSON has it.") from error
