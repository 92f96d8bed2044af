"""The columns of a text, or of a pair of texts: as the user says, else by the usual names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..sources import Row

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "question", "review", "content")
PAIR_COLUMNS = {
    "sentence1": "sentence2",
    "premise": "hypothesis",
    "question1": "question2",
    "question": "sentence",
    "text": "text_pair",
}


def text_columns(row: dict[str, Any], text: str | None, pair: str | None) -> list[str]:
    """Return the names of the columns of the texts; none where no usual name is there.

    Args:
        row: the first row.
        text: what the user calls the first, if anything.
        pair: what the user calls the second, if anything.
    """
    first = text or next((name for name in TEXT_COLUMNS if name in row), None)
    second = pair
    if second is None and text is None and PAIR_COLUMNS.get(first or "") in row:
        second = PAIR_COLUMNS[first or ""]
    return [name for name in (first, second) if name is not None]


def text_rows(texts: Sequence[str | list[str]] | None, *columns: str) -> list[Row] | None:
    """Return the texts of `data.predict_texts` as rows; None where there are none.

    Args:
        texts: each a text, or a pair where there are two columns.
        columns: the names that they get.
    """
    if texts is None:
        return None
    pairs = (text if isinstance(text, list) and len(columns) > 1 else [text] for text in texts)
    return [(f"data.predict_texts[{i}]", dict(zip(columns, pair, strict=False))) for i, pair in enumerate(pairs)]
