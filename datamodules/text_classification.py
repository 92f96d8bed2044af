"""Labeled texts: one text or two; one label, several, or a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError
from ..text.findings import Findings
from ..text.readers import require_columns
from ..text.splitting import draw, hold_out
from .batching.batches import Batches
from .batching.encode_texts import encode_texts
from .batching.padding import Padding
from .batching.token_rows import TokenRow, TokenRows
from .judging import JudgingDataModule
from .sources import Row
from .tables.classes import in_order, refuse_one_class
from .tables.columns import find_column, label_in, labels_in, number_in, text_in
from .tables.labels import LabelNames, refuse_one_number, some_names, tell_of_odd_labels
from .tables.leakage import warn_of_lone_labels
from .tables.multi_hot import MultiHot, count_labels, some_of
from .tables.problem import Problem, found_problem
from .tables.telling_split import telling_split
from .tables.text_columns import text_columns, text_rows
from .tables.usable_rows import with_columns

LABEL_COLUMNS = ("label", "labels", "coarse_label", "category", "class", "sentiment", "target", "stars", "score")


class TextClassificationDataModule(JudgingDataModule):
    """Texts, or pairs of texts, each with a label, several labels, or a number.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `token_type_ids` (rows, length) int64 where the
    tokenizer has them; `labels`: (rows,) int64, an index into `labels` (single); (rows, labels) float32, 0 or 1
    (multi); or (rows,) float32 (regression). Test batches have `example` (rows,)
    int64, the number of the example; prediction batches have no labels, and `index` (rows,) int64, the row in
    `predict_rows`. Texts that are longer than `max_length` are truncated, which is counted and reported.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        text_column: null looks for the usual names.
        text_pair_column: the second text of a pair.
        label_column: null looks for the usual names. A list of columns that hold 0 or 1 makes a row's labels of those
            that hold 1.
        problem: `single` (one label a row, a word or an integer), `multi` (several: a list, or words divided by
            `label_separator`) or `regression` (a number); null finds it in the data: lists are several labels,
            fractions are numbers.
        label_separator: divides several labels in one text, such as "," or "|".
        label_names: names for the labels in the data, as `{0: negative, 1: positive}` or a list for 0, 1, ...;
            also fixes their order.
        examples_per_label: train on so many rows of each label, drawn by `seed`: learning from few labels.
        predict_texts: texts to predict, in place of files; a pair of texts is a list of two.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length`, ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        text_column: str | None = None,
        text_pair_column: str | None = None,
        label_column: str | list[str] | None = None,
        problem: Problem | None = None,
        label_separator: str | None = None,
        label_names: dict[str, str] | list[str] | None = None,
        examples_per_label: int | None = None,
        predict_texts: str | list[str] | list[list[str]] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        self.text_column, self.text_pair_column = text_column, text_pair_column
        self.label_column = label_column
        self.label_separator = label_separator
        self.names = LabelNames(label_names)
        self.examples_per_label = examples_per_label
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts
        self.problem_option = problem
        self._problem: Problem | None = None
        self.labels: list[str] | None = None
        """The label names in the order of their indices; known after `setup`. None for numbers."""
        self.label_counts: list[int] = []
        """Training rows of each label; known after `setup('fit')`."""

    # ------------------------------------------------------------------ the kind of problem

    @property
    def problem(self) -> Problem:  # type: ignore[override]
        """Whether rows have one label, several, or a number: as given here or in the module, or found in the data."""
        if self._problem is None:
            asked = module_facts(self.module).asked_problem()
            if self.problem_option and asked and self.problem_option != asked:
                raise InputError(f"data.problem is {self.problem_option}, but the model's is {asked}: set one of them.")
            are_many = isinstance(self.label_column, list) or self.label_separator is not None
            self._problem = self.problem_option or asked or ("multi" if are_many else self._found_problem())
        return self._problem

    def _found_problem(self) -> Problem:
        if (split := telling_split(self.source)) is None:
            return "single"

        def cells() -> Iterator[Any]:
            rows = with_columns(self.source.rows(split), lambda where, row: self.columns(where, row, True)[1])
            return (row.get(label) for _, row, label in rows)

        return found_problem(self.cache_dir, [self.source.key(split), self.label_column], cells)

    # ------------------------------------------------------------------ rows

    def options(self) -> Any:
        """Return columns and how labels are read."""
        texts = [self.text_column, self.text_pair_column]
        return [texts, self.label_column, self.label_separator, self.problem]

    def _label_columns(self, row: dict[str, Any]) -> list[str]:
        return [name for name in LABEL_COLUMNS if name not in self._text_columns(row)]

    def _text_columns(self, row: dict[str, Any]) -> list[str]:
        return text_columns(row, self.text_column, self.text_pair_column)

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> tuple[list[str], Any]:
        """Return the columns of the texts, and that of the label or those of the labels."""
        texts = self._text_columns(row)
        find_column(where, row, "text_column", texts[0] if texts else None, ())
        require_columns(where, row, texts)
        if not labeled:
            return texts, None
        if isinstance(self.label_column, list):
            require_columns(where, row, self.label_column)
            return texts, self.label_column
        return texts, find_column(where, row, "label_column", self.label_column, self._label_columns(row))

    def say_columns(self, columns: tuple[list[str], Any]) -> None:
        """Say what was guessed."""
        texts, label = columns
        if self.text_column is None or self.label_column is None:
            names = " and ".join(map(repr, texts))
            kind = {"single": "label", "multi": "labels", "regression": "number"}[self.problem]
            rank_zero_info(f"Columns: text {names}, {kind} {label!r}.")

    def example(self, where: str, row: dict[str, Any], columns: tuple[list[str], Any], labeled: bool) -> dict[str, Any]:
        """Return the texts, and the labels as the data spell them."""
        texts, column = columns
        example: dict[str, Any] = {"texts": [text_in(where, row, name) for name in texts]}
        if labeled and self.problem == "multi":
            example["labels"] = labels_in(where, row, column, self.label_separator)
        elif labeled and self.problem == "regression":
            example["labels"] = number_in(where, row, column)
        elif labeled:
            example["labels"] = [label_in(where, row, column)]
        return example

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return one row of tokens each, with the numbers of its labels."""
        texts = [(e["texts"][0], e["texts"][1] if len(e["texts"]) > 1 else None) for e in examples]
        rows: list[list[TokenRow]] = []
        for example, row in zip(examples, encode_texts(self.tokenizer, texts, self.longest, findings), strict=True):
            labels = example.get("labels")
            if isinstance(labels, float):
                rows.append([{**row, "labels": [labels]}])
            else:
                numbers = [findings.number(label, example["where"]) for label in dict.fromkeys(labels or [])]
                rows.append([{**row, "labels": numbers}])
        return rows

    # ------------------------------------------------------------------ labels

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Find the label names, and every row's labels as batches have them."""
        split, first = next(iter(rows.items()))
        self.labels = None if self.problem == "regression" else self._find_labels(split, first, fitting)
        self._targets = {id(split_rows): self._targets_of(split_rows, split) for split, split_rows in rows.items()}
        for name, split_rows in rows.items():
            numbers = self._targets[id(split_rows)]
            if self.problem == "regression" and not isinstance(numbers, MultiHot):
                refuse_one_number(numbers, self.source.name(name), split_rows.meta["columns"][1])
        if fitting:
            tell_of_odd_labels(first.meta["labels"], self.names)
        if fitting and self.problem == "single":
            counts = count_labels(len(self.labels or []), self._targets[id(first)])
            refuse_one_class(counts, self.labels or [], self.source.name(split))
            warn_of_lone_labels(counts, first.meta["columns"][1])

    def _find_labels(self, split: str, rows: TokenRows, fitting: bool) -> list[str]:
        if (fixed := self.names.fixed(self.module, fitting)) is not None:
            return fixed
        if isinstance(self.label_column, list):
            return list(self.label_column)
        names = {self.names.rename(raw) for raw in rows.meta["labels"]}
        ordered = self.source.class_names(rows.meta["columns"][1], split)
        return in_order(names, ordered, 2 if self.problem == "single" else 1, self.source.name(split))

    def _targets_of(self, rows: TokenRows, split: str) -> np.ndarray | MultiHot:
        raw = rows.all("labels")
        if self.problem == "regression":
            return np.asarray(raw, np.float32)
        indices: np.ndarray = self.names.table(rows.meta["labels"], self.labels or [], split)[raw]
        if self.problem == "single":
            return indices
        return MultiHot(np.asarray(rows.stores["labels"].ends), indices, len(self.labels or []))

    def hold_out(self, rows: TokenRows) -> tuple[np.ndarray, np.ndarray]:
        """Hold out a share of each label."""
        return hold_out(self._classes(rows), self.validation_fraction, self.seed)

    def choose(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return those that are trained on, and count their labels."""
        examples = self.drawn(rows, examples)
        if self.problem != "regression":
            self.label_counts = count_labels(
                len(self.labels or []), some_of(self._targets[id(rows)], examples)
            ).tolist()
        return examples

    def drawn(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return so many of each label, where that is wanted."""
        if not self.examples_per_label:
            return examples
        if self.problem != "single":
            raise InputError(
                f"data.examples_per_label draws rows of classes, and this is {self.problem}: leave it out."
            )
        return draw(self._classes(rows), examples, self.examples_per_label, self.seed)

    def _classes(self, rows: TokenRows) -> np.ndarray:
        """Return the class of each row; of several labels or a number, 0. A test may ask of the training rows, too."""
        found = self._targets.get(id(rows))
        targets = self._targets_of(rows, "train") if found is None else found
        is_class = self.problem == "single" and not isinstance(targets, MultiHot)
        return targets if is_class else np.zeros(len(targets), np.int64)  # type: ignore[return-value]

    # ------------------------------------------------------------------ batches

    def collate(self) -> Padding:
        """Return a padding without the labels, which come as a column of their own."""
        padding = Padding(self.tokenizer)
        padding.leave_out |= {"labels"}
        return padding

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Batches:
        """Return batches of rows with their labels."""
        lengths = rows.lengths[examples] if self.group_by_length or self.tokens_per_batch else None
        columns: dict[str, np.ndarray | MultiHot] = {"labels": some_of(self._targets[id(rows)], examples)}
        if split == "test":  # whose rows are told of one by one
            columns["example"] = examples
        return Batches(rows, examples, self.collate(), columns, lengths)

    def occurrences(self, split: str) -> dict[str, int]:
        """Return how often each label occurs in a split; empty for numbers."""
        if self.labels is None:
            return {}
        counts = count_labels(len(self.labels or []), self.datasets[split].columns["labels"])
        return dict(zip(self.labels, counts.tolist(), strict=True))

    def describe(self, split: str, examples: np.ndarray) -> str:
        """Return how often each label occurs, or where the numbers lie."""
        targets = self.datasets[split].columns["labels"]
        if self.problem == "regression":
            return f"numbers from {targets.min():g} to {targets.max():g}, mean {targets.mean():.3g}"
        shares = [f"{name} {n:,} ({n / len(targets):.0%})" for name, n in self.occurrences(split).items()]
        return some_names(shares)

    def can_be_right(self, predicted: dict[str, Any]) -> bool:
        """Return whether it is a label, or several."""
        return isinstance(predicted.get("prediction"), str | list)

    def is_right(self, row: dict[str, Any], predicted: dict[str, Any]) -> bool | None:
        """Return whether labels are those of the row: `label` may be 0 for a name."""
        prediction, column = predicted["prediction"], self.columns("", row, True)[1]
        are_many = isinstance(prediction, list)
        gold = labels_in("", row, column, self.label_separator) if are_many else [label_in("", row, column)]
        right = {self.names.known(raw, module_facts(self.module).labels or []) for raw in gold}
        return None if None in right else right == set(prediction if are_many else [prediction])

    def inline_rows(self) -> list[Row] | None:
        """Return the `predict_texts` as rows."""
        return text_rows(self.predict_texts, self.text_column or "text", self.text_pair_column or "text_pair")

    def training_texts(self) -> Iterator[str]:
        """Return the texts of the training rows."""
        for _, row in self.source.rows("train"):
            yield from (str(row[name]) for name in self._text_columns(row) if name in row)
