"""Multiple choice: which of several endings fits a context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import Survey
from ..errors import InputError
from ..storage.cells import is_whole, listed
from ..text.findings import Findings
from ..text.readers import require_columns
from ..text.visible import shown_value
from .batching.choice_batches import ChoiceBatches
from .batching.encode_texts import encode_texts
from .batching.padding import Padding
from .batching.token_rows import RowsInMemory, TokenRow, TokenRows
from .judging import JudgingDataModule
from .tables.columns import find_column, label_in, text_in

CONTEXT_COLUMNS = ("ctx", "context", "sent1", "article", "passage", "premise", "startphrase", "dialogue", "question")
QUESTION_COLUMNS = ("sent2", "question")
ENDINGS_COLUMNS = ("endings", "options", "choices", "choice", "answers")
ENDING_COLUMNS = (
    ("ending0", "ending1", "ending2", "ending3", "ending4"),
    ("choice1", "choice2", "choice3", "choice4"),
    ("option1", "option2", "option3", "option4"),
)
FORMAT = 2
"""Of how rows are read; a new one makes what lies in the cache anew."""
LABEL_COLUMNS = ("label", "answer", "gold", "target")


class MultipleChoiceDataModule(JudgingDataModule):
    """A context with endings, one of which is right. The number of endings may differ from row to row.

    Batch: `input_ids` and `attention_mask` (rows, choices, length) int64; `token_type_ids` the same where the tokenizer
    has them; `labels` (rows,) int64, the number of the right ending. Where rows have different numbers of endings,
    `choice_mask` (rows, choices) int64 is 1 on those that are there. Test batches have `example` (rows,) int64, the
    number of the example; prediction batches have `index` in place of `labels`. A context and ending longer than
    `max_length` are truncated, which is counted and reported.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        context_column: a text, or a list of the lines of one; null looks for the usual names.
        question_column: a text that each ending begins with, such as SWAG's `sent2`; null looks for the usual names.
        endings_column: a list of endings, or the columns of the single endings; null looks for the usual names.
        label_column: the right ending: its number, counted from 0, its letter (A, B, ...), or its text.
        first_label: the number of the first ending, where the data do not count from 0.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length`, ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        context_column: str | None = None,
        question_column: str | None = None,
        endings_column: str | list[str] | None = None,
        label_column: str | None = None,
        first_label: int = 0,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        self.context_column, self.question_column = context_column, question_column
        self.endings_column, self.label_column = endings_column, label_column
        self.first_label = first_label

    def options(self) -> Any:
        """Return columns, and how endings are counted."""
        texts = [self.context_column, self.question_column, self.endings_column]
        return [texts, self.label_column, self.first_label, FORMAT]

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> dict[str, Any]:
        """Return the columns of context, question, endings and label."""
        context = find_column(where, row, "context_column", self.context_column, CONTEXT_COLUMNS)
        question = self.question_column or next((n for n in QUESTION_COLUMNS if n in row and n != context), None)
        endings: Any = self.endings_column
        if endings is None:
            single = next(([n for n in names if n in row] for names in ENDING_COLUMNS if names[0] in row), None)
            endings = single or find_column(where, row, "endings_column", None, ENDINGS_COLUMNS)
        require_columns(where, row, endings if isinstance(endings, list) else [endings])
        require_columns(where, row, [question] if question else [])
        label = find_column(where, row, "label_column", self.label_column, LABEL_COLUMNS) if labeled else None
        return {"context": context, "question": question, "endings": endings, "label": label}

    def say_columns(self, columns: dict[str, Any]) -> None:
        """Say what was guessed."""
        if self.context_column is None or self.endings_column is None or self.label_column is None:
            rank_zero_info("Columns: " + ", ".join(f"{what} {name!r}" for what, name in columns.items() if name) + ".")

    def example(self, where: str, row: dict[str, Any], columns: dict[str, Any], labeled: bool) -> dict[str, Any]:
        """Return context, endings and the number of the right one."""
        context = _context(where, row, columns["context"])
        question = row.get(columns["question"]) if columns["question"] else None
        names = columns["endings"]
        endings = [row.get(name) for name in names] if isinstance(names, list) else listed(row.get(names))
        if isinstance(endings, dict):  # {"text": [...], "label": [...]}, as ARC has it
            endings = endings.get("text")
        if isinstance(names, list):
            while endings and endings[-1] in (None, ""):  # rows with fewer endings leave the last columns empty
                endings = endings[:-1]
        if not isinstance(endings, list) or len(endings) < 2:
            count = len(endings) if isinstance(endings, list) else 0
            raise InputError(f"{where}: {count} endings in {_named(names)}; there must be at least two to choose from.")
        for number, ending in enumerate(endings):
            if not isinstance(ending, str) or not ending.strip():
                many = "; each question is a row of its own" if isinstance(ending, list) else ""
                raise InputError(
                    f"{where}: ending {number} in {_named(names)} is {ending!r}, where a text should be{many}."
                )
        example: dict[str, Any] = {"context": context, "endings": endings, "begins": f"{question} " if question else ""}
        if labeled:
            label, counted = label_in(where, row, columns["label"]), isinstance(row[columns["label"]], int | float)
            example["label"] = self._number(where, label, endings, columns["label"], counted)
        return example

    def _number(self, where: str, label: str, endings: list[str], column: str, counted: bool) -> int:
        """Return which ending a label means; a number counts them, also where endings are numbers themselves."""
        texts = [ending.strip() for ending in endings]
        if label in texts and not counted:
            return texts.index(label)
        letter = ord(label.upper()) - ord("A") if len(label) == 1 and label.isalpha() else None
        number = letter if letter is not None else int(label) - self.first_label if _is_integer(label) else -1
        if not 0 <= number < len(endings):
            last = len(endings) - 1 + self.first_label
            raise InputError(
                f"{where}: the label {label!r} in column {column!r} is none of the {len(endings)} endings (numbers "
                f"{self.first_label} to {last}, letters, or their texts); data.first_label says where counting begins."
            )
        return number

    def is_right(self, row: dict[str, Any], predicted: dict[str, Any]) -> bool:
        """Return whether the number of an ending is that of the right one."""
        label: int = self.example("", row, self.columns("", row, True), True)["label"]
        return bool(predicted["prediction"] == label)

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return one row of tokens for each ending."""
        pairs = [
            (example["context"], example["begins"] + ending) for example in examples for ending in example["endings"]
        ]
        owners = [number for number, example in enumerate(examples) for _ in example["endings"]]
        encoded = iter(encode_texts(self.tokenizer, pairs, self.longest, findings, owners))
        rows: list[list[TokenRow]] = []
        for example in examples:
            right = example.get("label", -1)
            rows.append([{**next(encoded), "right": [int(i == right)]} for i in range(len(example["endings"]))])
        return rows

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> ChoiceBatches:
        """Return batches of examples with their endings and the number of the right one."""
        right = np.asarray(rows.all("right"))
        first = np.searchsorted(rows.owners, np.arange(len(rows.examples)))
        labels = np.flatnonzero(right) - first
        grouped = bool(self.group_by_length or self.tokens_per_batch)
        columns = {"labels": labels[examples], **({"example": examples} if split == "test" else {})}
        return ChoiceBatches(rows, examples, self._padding(), columns, grouped)

    def survey(self, split: str) -> Survey | None:
        """Return what the base knows, and how often each ending is the right one."""
        known = super().survey(split)
        if known is None:
            return None
        counts = np.bincount(self.datasets[split].columns["labels"]).tolist()
        return replace(known, labels={f"choice {number}": count for number, count in enumerate(counts)})

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> ChoiceBatches:
        """Return batches of examples with their endings."""
        examples = np.arange(len(rows.examples))
        return ChoiceBatches(rows, examples, self._padding(), {"index": examples}, True)

    def _padding(self) -> Padding:
        padding = Padding(self.tokenizer)
        padding.leave_out |= {"right"}
        return padding

    def training_texts(self) -> Iterator[str]:
        """Return contexts and endings of the training rows."""
        for where, row, columns in self.training_rows(labeled=False):
            example = self.example(where, row, columns, False)
            yield example["context"]
            yield from (example["begins"] + ending for ending in example["endings"])


def _context(where: str, row: dict[str, Any], column: str) -> str:
    """Return the text in a column; the lines of a dialogue, or other paragraphs, come as a list."""
    lines = listed(row.get(column))
    if isinstance(lines, list) and lines and all(isinstance(line, str) for line in lines):
        row = {column: "\n".join(lines)}
    elif isinstance(lines, list) and isinstance(row.get(column), list):
        raise InputError(
            f"{where}: {shown_value(lines)} in column {column!r} is no context; a text, or a list of texts, would work."
        )
    return text_in(where, row, column)


def _named(names: str | list[str]) -> str:
    return f"column {names!r}" if isinstance(names, str) else f"the columns {', '.join(names)}"


def _is_integer(text: str) -> bool:
    return is_whole(text)
