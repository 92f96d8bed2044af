"""The base of the datamodules for tables: what a row becomes, tokenized once into the cache, and rows to predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError
from ..storage.cache import cached, digest
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.findings import Findings, told, warn_of_unknown
from ..text.readers import mended
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .batching.about_rows import about_row
from .batching.batches import Batches
from .batching.choice_batches import ChoiceBatches
from .batching.packed_rows import PackedRows
from .batching.padding import Padding
from .batching.portions import encode_portion, next_portion, with_place
from .batching.predict_rows import Inputs, write_inputs
from .batching.token_rows import Examples, RowsInMemory, RowWriter, TokenRow, TokenRows
from .code_key import code_key
from .sources import Files, Row, Source, Split
from .tables.telling_split import telling_split
from .tables.usable_rows import UsableRows, with_columns

FORMAT = 2
"""Of what lies in the cache; a new one makes it anew."""


class TabularDataModule(BaseDataModule):
    """Rows of tables, each of which gives one row of tokens or several.

    A subclass sets `source`, and says which columns hold what (`columns`), what is kept of a row (`example`), and which
    rows of tokens an example gives (`encode`).

    Args:
        predict_files: what is to be predicted, by path, glob or URL.
        on_bad_rows: `error`, or `skip` rows that cannot be used.
        max_length: tokens at most; null asks the tokenizer and the module.
        encoding: of text files.
        tokenizer: as in `BaseDataModule`.
        batch_size: rows per batch and process.
        num_workers: processes that make batches ahead of time.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out rows and the order of training.
    """

    def __init__(
        self,
        predict_files: str | list[str] | None,
        on_bad_rows: Literal["error", "skip"],
        max_length: int | None,
        encoding: str,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None,
        batch_size: int,
        num_workers: int | None,
        cache_dir: str | None,
        seed: int,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        if max_length is not None and max_length < 4:
            raise InputError(f"data.max_length is {max_length}; with special tokens, texts need at least 4.")
        self.predict_files = predict_files
        self.on_bad_rows = on_bad_rows
        self.max_length = max_length
        self.encoding = encoding
        self._taken: list[Row] | None = None
        self.rows: dict[str, TokenRows | RowsInMemory] = {}
        """The tokenized rows of each split; known after `setup`. Two splits may share them."""

    # ------------------------------------------------------------------ hooks for subclasses

    def options(self) -> Any:
        """Return every option that shapes a row, for the cache; source, tokenizer and `longest` are in its key."""
        return None

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> Any:
        """Return which columns hold what, from the first row; handed to `example`.

        Raises:
            InputError: listing the columns there are.
        """
        raise TypeError(f"{type(self).__name__} must define `columns`.")

    def say_columns(self, columns: Any) -> None:
        """Print which columns were guessed; called once for the training rows."""

    def example(self, where: str, row: dict[str, Any], columns: Any, labeled: bool) -> dict[str, Any]:
        """Return what is kept of a row: plain data that JSON can carry.

        Args:
            where: the place, for messages.
            row: all its columns.
            columns: from `columns`.
            labeled: whether there must be something to learn from; not when predicting.

        Raises:
            InputError: if the row cannot be used.
        """
        raise TypeError(f"{type(self).__name__} must define `example`.")

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return the rows of tokens of each example.

        Args:
            examples: from `example`; each also has its place under `where`.
            findings: takes counts and label names.

        Raises:
            InputError: if an example gives none.
        """
        raise TypeError(f"{type(self).__name__} must define `encode`.")

    def collate(self) -> Any:
        """Return what makes a batch of rows of tokens."""
        return Padding(self.tokenizer)

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Any:
        """Return the batches to predict; each says under `index` which input rows its rows belong to."""
        return Batches(rows, None, self.collate(), {"index": rows.owners}, rows.mapped_lengths)

    def inline_rows(self) -> list[Row] | None:
        """Return rows to predict that stand in the options, if any."""
        return None

    def windows(self, split: str) -> list[int]:
        """Return of each example of a split how many rows of tokens it gives."""
        rows = self.rows[split]
        counts: list[int] = np.bincount(rows.owners, minlength=len(rows.examples)).tolist()
        return counts

    # ------------------------------------------------------------------ preparing

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest input in tokens; at least as many as that while there is no tokenizer to ask."""
        if self.max_length is not None:
            return self.max_length
        of_tokenizer = 512 if self.tokenizer is None else int(self.tokenizer.model_max_length)
        return min(512, of_tokenizer, module_facts(self.module).input_limit() or 512)

    def examples(self, split: str) -> Examples | list[dict[str, Any]]:
        """Return the examples of a split by number, as batches have it under `example` (or `index`)."""
        return self.rows[split].examples

    def about(self, split: str, indices: Sequence[int]) -> list[dict[str, str]]:
        """Return of each row of a batch where it is from, which window of its text it is, and what was cut."""
        dataset, rows = self.datasets[split], self.rows[split]
        if not isinstance(dataset, Batches | ChoiceBatches | PackedRows):  # somebody else's
            return []
        return [
            about_row(rows, int(number), self.longest, windows=not isinstance(dataset, ChoiceBatches))
            for number in dataset.rows_of(indices)
        ]

    def prepare_data(self) -> None:
        """Tokenize, unless the cache has it."""
        self.find_sources()
        self.load_tokenizer()
        if self.predicts() and self._taken is None and self.inline_rows() is None:
            self._read_inputs()
        for split in self.prepared_splits():
            if self.source.has(split):
                self.tokenized(split)

    def training_rows(self, labeled: bool) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """Return the rows of the training split, with the place of each and what `columns` says of them.

        Args:
            labeled: whether `columns` is to look for labels.
        """
        return with_columns(self.source.rows("train"), lambda where, row: self.columns(where, row, labeled))

    def tokenized(self, split: str) -> Path:
        """Return the folder of a split's rows of tokens; made unless the cache has it."""
        return cached(self.cache_dir, "rows", self.rows_key(split), lambda folder: self._tokenize(split, folder))

    def rows_key(self, split: str) -> list[Any]:
        """Return what tells a split's rows of tokens from all others in the cache."""
        key = [code_key(type(self)), self.source.key(split), self.tokenizer_key(), self.longest, self.on_bad_rows]
        told = telling_split(self.source) if split == "test" else "train"
        return [*key, self.options(), FORMAT, *([told] if told == "test" else [])]

    def _tokenize(self, split: str, folder: Path) -> None:
        def columns(where: str, row: dict[str, Any]) -> Any:
            columns = self.columns(where, row, True)
            if split == "train":
                self.say_columns(columns)
            return columns

        rows = with_columns(self.source.rows(split), columns)
        usable = UsableRows(rows, self.example, skip=self.on_bad_rows == "skip")
        if isinstance(self.source, Files):
            self.source.unreadable = usable.skipped
        writer, findings, examples = RowWriter(folder), Findings(), iter(usable)
        while portion := next_portion(examples):
            writer.write(portion, encode_portion(portion, self.encode, self.tokenizer, findings))
        if not findings.first:
            first = f" The first: {usable.skipped[0]}" if usable.skipped else ""
            raise InputError(f"{self.source.name(split)} has no usable row.{first}")
        writer.close(
            findings,
            columns=usable.columns,
            skipped=len(usable.skipped),
            first_skipped=usable.skipped[0] if usable.skipped else None,
        )

    # ------------------------------------------------------------------ predicting

    def setup_predict(self) -> None:
        """Map what is to be predicted, and report on it."""
        inline = self.inline_rows() if self._taken is None else self._taken
        if inline is not None:
            rows: TokenRows | RowsInMemory
            counts: Mapping[str, int]
            rows, counts = self._encode_inline(inline)
        else:
            rows = self._read_inputs().rows
            counts = rows.notes.totals()
        self._set_inputs(rows)
        if self._taken is not None:  # who hands rows over knows them
            return
        total = len(self.predict_rows)
        rank_zero_info("; ".join([f"predict: {total:,} rows", *told(dict(counts), self.longest, total)]) + ".")
        warn_of_unknown("predict", dict(counts), self.tokenizer)

    def take_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows to predict in place of files and `predict_texts`."""
        self._taken = [(f"row {number + 1}", dict(row)) for number, row in enumerate(rows)]
        if self.tokenizer is not None:
            self._set_inputs(self._encode_inline(self._taken)[0])

    def _set_inputs(self, rows: TokenRows | RowsInMemory) -> None:
        self.rows["predict"] = rows
        self.datasets["predict"] = self.predict_dataset(rows)
        self.predict_from = 0

    def _encode_inline(self, rows: list[Row]) -> tuple[RowsInMemory, Mapping[str, int]]:
        if not rows:
            raise InputError("data.predict_texts is empty: give at least one text.")
        rows = [(where, mended(row, where)) for where, row in rows]
        columns, findings = self.columns(*rows[0], False), Findings()
        examples = [with_place(where, self.example(where, row, columns, False)) for where, row in rows]
        encoded = encode_portion(examples, self.encode, self.tokenizer, findings)
        self.predict_rows = [row for _, row in rows]
        self.predict_key = digest([type(self).__name__, self.predict_rows])
        return RowsInMemory(examples, encoded), findings.counts

    def _read_inputs(self) -> Inputs:
        """Tokenize the rows of files, or of a data set's test split, unless the cache has them."""
        if self.predict_files:
            source: Source = Files({"predict": self.predict_files}, self.encoding, cache_dir=self.cache_dir)
            split: Split = "predict"
        elif not isinstance(self.source, Files) and self.source.has("test"):
            source, split = self.source, "test"
        else:
            inline = ", or data.predict_texts" if "predict_texts" in vars(self) else ""
            raise InputError(f"There is nothing to predict: set data.predict_files{inline}.")
        columns: Any = None

        def example(where: str, row: dict[str, Any]) -> dict[str, Any]:
            nonlocal columns
            columns = self.columns(where, row, False) if columns is None else columns
            return self.example(where, row, columns, False)

        key = [code_key(type(self)), source.key(split), self.tokenizer_key(), self.longest, self.options(), FORMAT]

        def write(folder: Path) -> None:
            write_inputs(folder, source.rows(split), example, self.encode, self.tokenizer)

        return self.read_inputs(key, write)
