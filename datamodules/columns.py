"""Which column of a table holds what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..errors import InputError
from . import readers

TEXT_COLUMNS = ("text", "sentence", "sentence1", "premise", "question1", "question", "review", "content")
PAIR_COLUMNS = {"sentence1": "sentence2", "premise": "hypothesis", "question1": "question2", "question": "sentence"}
LABEL_COLUMNS = ("label", "labels", "coarse_label", "category", "class", "sentiment", "target", "stars")


@dataclass
class Columns:
    """Which columns hold what; None where it is to be guessed."""

    text: str | None
    pair: str | None
    label: str | None

    def key(self) -> Any:
        """What a cache key must hold."""
        return [self.text, self.pair, self.label]

    def found(self, where: str, row: dict[str, Any], labelled: bool, say: bool = False) -> Columns:
        """The columns of these rows: as given, else by their usual names.

        Raises:
            InputError: listing the columns there are.
        """
        text = self.text or next((name for name in TEXT_COLUMNS if name in row), None)
        pair = self.pair
        if pair is None and self.text is None and PAIR_COLUMNS.get(text or "") in row:
            pair = PAIR_COLUMNS[text or ""]
        label = self.label or next((name for name in LABEL_COLUMNS if name in row and name not in (text, pair)), None)
        for option, name in (("text_column", text), ("label_column", label if labelled else "")):
            if name is None:
                raise InputError(f"{where}: which column is it? Set data.{option} to one of: {', '.join(row)}.")
        readers.require_columns(where, row, [name for name in (text, pair, label if labelled else None) if name])
        if say and (self.text is None or self.label is None):
            rank_zero_info(f"Columns: text {text!r}" + (f" and {pair!r}" if pair else "") + f", label {label!r}.")
        return Columns(text, pair, label)

    def texts(self, where: str, row: dict[str, Any]) -> tuple[str, str | None]:
        """The text or the two texts of a row."""
        found: list[str] = []
        for name in (self.text, self.pair):
            if name is None:
                continue
            value = row.get(name)
            if not isinstance(value, str) or not value.strip():
                raise InputError(f"{where}: the text in column {name!r} is {'empty' if not value else f'{value!r}'}.")
            found.append(value)
        return found[0], found[1] if len(found) > 1 else None

    def label_of(self, where: str, row: dict[str, Any]) -> str:
        """The label of a row as a string."""
        value = row.get(self.label or "")
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # pandas turns integers into floats where one is missing
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        if missing or str(value).strip().lower() in ("", "nan", "none", "null"):
            raise InputError(f"{where}: there is no label in column {self.label!r} (it is {value!r}).")
        if isinstance(value, float | list | dict):
            raise InputError(f"{where}: the label {value!r} in column {self.label!r} is neither a word nor an integer.")
        return str(value).strip()
