"""The base of the datamodules for labeled data: rows of files or the Hub, examples, rows of tokens, batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError, check_range
from ..storage import manifest
from ..storage.cache import cached, digest, find
from ..text.findings import Findings, told, warn_of_unknown
from ..text.readers import mended
from ..text.splitting import hold_out
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .batching.batches import Batches
from .batching.padding import Padding
from .batching.portions import next_portion, with_place
from .batching.predict_rows import Inputs, write_inputs
from .batching.token_rows import Examples, RowsInMemory, RowWriter, TokenRow, TokenRows
from .sources import SKIPPABLE, Files, Row, Source, Split, make_source
from .tables.leakage import SplitExamples, warn_of_missing_labels, warn_of_shared_texts

FORMAT = 2
"""Of what lies in the cache; a new one makes it anew."""


class LabeledDataModule(BaseDataModule):
    """Rows with something to predict.

    A subclass says which columns hold what (`columns`), what is kept of a row (`example`), and which rows of tokens an
    example gives (`encode`); it makes the batches of a split in `dataset`. Everything is tokenized once into the
    cache. Batches are padded to their longest row, and training batches are made of rows of similar length.

    Args:
        train_files: paths, globs or URLs of .csv, .tsv, .jsonl, .json, .parquet or .arrow files, plain or compressed.
        validation_files: the same, to validate on.
        test_files: the same, to test on.
        predict_files: the same, to predict; needs no labels.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files.
        subset: the data set's configuration name.
        splits: names of the data set's splits, as `{validation: dev}`, where guessing does not find them.
        split_column: a column of the `train_files` that says which split a row belongs to (train, validation or dev,
            test).
        validation_fraction: share of the training rows held out when there is no validation split.
        on_bad_rows: `error`, or `skip` rows that cannot be used (they are counted and reported).
        tokenizer: a name, a folder, an earlier run, options for training one, or null for the backbone's own.
        max_length: tokens at most. null means what the tokenizer and the backbone allow, at most 512.
        group_by_length: make batches of rows of similar length.
        tokens_per_batch: instead of `batch_size`, as many rows as fit into so many tokens, padding counted.
        encoding: of text files.
        batch_size: rows per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one, null chooses: none where
            the CPU computes, up to 4 for each GPU, as cores allow.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out rows and the order of training.
    """

    holds = "labels"

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        validation_files: str | list[str] | None = None,
        test_files: str | list[str] | None = None,
        predict_files: str | list[str] | None = None,
        dataset: str | None = None,
        subset: str | None = None,
        splits: dict[str, str] | None = None,
        split_column: str | None = None,
        validation_fraction: float = 0.1,
        on_bad_rows: Literal["error", "skip"] = "error",
        tokenizer: str | TrainTokenizer | None = None,
        max_length: int | None = None,
        group_by_length: bool = True,
        tokens_per_batch: int | None = None,
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        check_range("data.validation_fraction", validation_fraction, least=0, below=1)
        if max_length is not None and max_length < 4:
            raise InputError(f"data.max_length is {max_length}; with special tokens, texts need at least 4.")
        check_range("data.tokens_per_batch", tokens_per_batch, least=1)
        files = {"train": train_files, "validation": validation_files, "test": test_files, "predict": predict_files}
        self.source = make_source(
            files,
            dataset,
            subset,
            self.cache_dir,
            encoding=encoding,
            splits=splits,
            split_column=split_column,
            on_bad_rows=on_bad_rows,
        )
        self.predict_files = predict_files
        self.validation_fraction = validation_fraction
        self.on_bad_rows = on_bad_rows
        self.max_length = max_length
        self.group_by_length = group_by_length
        self.tokens_per_batch = tokens_per_batch
        self.encoding = encoding
        self.rows: dict[str, TokenRows | RowsInMemory] = {}
        """The tokenized rows of each split; known after `setup`. Two splits may share them."""
        self._parts: dict[str, SplitExamples] = {}

    # ------------------------------------------------------------------ hooks for subclasses

    def options(self) -> Any:
        """What the cache must tell apart beside source, tokenizer and `longest`: every option that shapes a row."""
        return None

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> Any:
        """Which columns hold what, from the first row; handed to `example`.

        Raises:
            InputError: listing the columns there are.
        """
        raise TypeError(f"{type(self).__name__} must define `columns`.")

    def say_columns(self, columns: Any) -> None:
        """Prints which columns were guessed; called once for the training rows."""

    def example(self, where: str, row: dict[str, Any], columns: Any, labeled: bool) -> dict[str, Any]:
        """What is kept of a row: plain data that JSON can carry.

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
        """The rows of tokens of each example.

        Args:
            examples: from `example`; each also has its place under `where`.
            findings: takes counts and label names.

        Raises:
            InputError: if an example gives none.
        """
        raise TypeError(f"{type(self).__name__} must define `encode`.")

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Called before the splits are made; for what follows from the data, such as label names.

        Args:
            rows: of each split; the first is what is trained, validated or tested on.
            fitting: whether a head is about to be trained.
        """

    def hold_out(self, rows: TokenRows) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the examples that train, and of those held out to validate on."""
        return hold_out(np.zeros(len(rows.examples), np.int64), self.validation_fraction, self.seed)

    def choose(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Those of the training examples that are trained on."""
        return examples

    def collate(self) -> Any:
        """Makes a batch of rows of tokens."""
        return Padding(self.tokenizer)

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Any:
        """The batches of a split; each says under `example` which examples its rows belong to."""
        picked = rows.of(examples)
        lengths = rows.lengths[picked] if self.group_by_length or self.tokens_per_batch else None
        return Batches(rows, picked, self.collate(), {"example": rows.owners[picked]}, lengths)

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Any:
        """The batches to predict; each says under `index` which input rows its rows belong to."""
        return Batches(rows, np.arange(len(rows)), self.collate(), {"index": rows.owners}, rows.lengths)

    def inline_rows(self) -> list[Row] | None:
        """Rows to predict that were given as options, if any."""
        return None

    def describe(self, split: str, examples: np.ndarray) -> str:
        """What the report says of a split beside the number of rows."""
        return ""

    def occurrences(self, split: str) -> dict[str, int]:
        """How often each label occurs in a split; empty where there are no labels to count."""
        return {}

    def judged(self, row: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        """What a file of predictions says of one beside it, such as whether it is `correct`.

        Args:
            row: the input row, with all its columns.
            made: what was predicted.
        """
        return {}

    def judgments(self, columns: Sequence[str], made: dict[str, Any]) -> list[str]:
        """The names that `judged` may use; a table must know them before its first row.

        Args:
            columns: of all input rows.
            made: what was predicted for one of them.
        """
        return []

    # ------------------------------------------------------------------ preparing

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest input in tokens; at least as many as that while there is no tokenizer to ask."""
        if self.max_length is not None:
            return self.max_length
        of_tokenizer = 512 if self.tokenizer is None else int(self.tokenizer.model_max_length)
        return min(512, of_tokenizer, module_facts(self.module).input_limit() or 512)

    def examples(self, split: str) -> Examples | list[dict[str, Any]]:
        """The examples of a split by number, as batches have it under `example` (or `index`, when predicting)."""
        return self.rows[split].examples

    def prepare_data(self) -> None:
        """Tokenizes, unless the cache has it."""
        self.find_sources()
        self.load_tokenizer()
        if self.predicts() and self.inline_rows() is None:
            self._read_inputs()
        for split in self.prepared_splits():
            if self.source.has(split):
                self._tokenized(split)

    def prepared_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """All but the test, which may have no labels so far: it is read when it is tested on."""
        wanted = self.wanted_splits()
        return tuple(name for name in wanted if name != "test") or wanted

    def setup(self, stage: str) -> None:
        """Maps the tokenized rows, finds the labels, holds out and draws."""
        self.load_tokenizer()
        if stage == "predict":
            self._setup_predict()
        elif stage == "test":
            if not self.source.has("test"):
                raise InputError("There is nothing to test on: set data.test_files (or a data set with a test split).")
            self._setup_labeled(["test"])
        else:
            splits = [split for split in ("train", "validation") if self.source.has(split)]
            if not splits or (stage == "fit" and "train" not in splits):
                raise InputError("There is nothing to train on: set data.train_files or data.dataset.")
            self._setup_labeled(splits, fitting=stage == "fit")

    def _setup_labeled(self, splits: list[str], fitting: bool = False) -> None:
        rows = {split: TokenRows(self._tokenized(split)) for split in splits}
        self.contents |= {split: manifest.contents(found.folder) for split, found in rows.items()}
        self.inspect(rows, fitting)
        chosen = {split: np.arange(len(found.examples)) for split, found in rows.items()}
        if "train" in rows and "validation" not in rows and self.validation_fraction > 0:
            rows["validation"] = rows["train"]
            chosen["train"], chosen["validation"] = self.hold_out(rows["train"])
        if "train" in rows:
            chosen["train"] = self.choose(rows["train"], chosen["train"])
        for split, found in rows.items():
            if not len(chosen[split]):
                change = "lower" if split == "train" else "raise"
                raise InputError(
                    f"The {split} part of {self.source.name('train')} is empty: it has too few rows for "
                    f"data.validation_fraction {self.validation_fraction}; {change} it, or set data.validation_files."
                )
            self.rows[split] = found
            self.datasets[split] = self.dataset(found, chosen[split], split)
            self._report(split, found, chosen[split])
            self._parts[split] = SplitExamples(found, chosen[split])
        if self.trainer is None or self.trainer.is_global_zero:
            self._warn(splits[0], fitting)

    def _warn(self, split: str, fitting: bool) -> None:
        """Of what makes scores say less than they seem to; once for each split, when it first matters."""
        if fitting and "validation" in self._parts:
            warn_of_shared_texts(self._parts["train"], self._parts["validation"], "validation")
            warn_of_missing_labels(self.occurrences("train"), self.occurrences("validation"))
        elif split == "test" and (train := self._training_part()) is not None:
            warn_of_shared_texts(train, self._parts["test"], "test")

    def _training_part(self) -> SplitExamples | None:
        """What was trained on, where that is known or in the cache; nothing is read anew for a test."""
        if "train" in self._parts:
            return self._parts["train"]
        try:
            folder = find(self.cache_dir, "rows", self._key("train")) if self.source.has("train") else None
        except (InputError, OSError):  # the files are no longer there, and need not be
            return None
        if folder is None:
            return None
        rows = TokenRows(folder)
        return SplitExamples(rows, np.arange(len(rows.examples)))

    def _report(self, split: str, rows: TokenRows, examples: np.ndarray) -> None:
        line = f"{split}: {len(examples):,} rows"
        if more := self.describe(split, examples):
            line += f"; {more}"
        counts = rows.notes.of(examples)
        line = "; ".join([line, *told(counts, self.longest, len(examples))])
        if rows.meta["skipped"] and (split == "train" or rows is not self.rows.get("train")):  # once for a file
            line += f"; skipped: {rows.meta['skipped']:,} that cannot be used, the first: {rows.meta['first_skipped']}"
        rank_zero_info(line if line.endswith(".") else line + ".")
        warn_of_unknown(split, counts, self.tokenizer)

    def _tokenized(self, split: str) -> Path:
        return cached(self.cache_dir, "rows", self._key(split), lambda folder: self._tokenize(split, folder))

    def _key(self, split: str) -> list[Any]:
        key = [type(self).__name__, self.source.key(split), self.tokenizer_key(), self.longest, self.on_bad_rows]
        return [*key, self.options(), FORMAT]

    def _tokenize(self, split: str, folder: Path) -> None:
        writer, findings = RowWriter(folder), Findings()
        columns: Any = None
        skipped: list[str] = []
        if isinstance(self.source, Files):
            self.source.unreadable = skipped

        def usable() -> Iterator[dict[str, Any]]:
            nonlocal columns
            for where, row in self.source.rows(split):
                if columns is None:
                    columns = self.columns(where, row, labeled=True)
                    if split == "train":
                        self.say_columns(columns)
                try:
                    yield with_place(where, self.example(where, row, columns, labeled=True))
                except InputError as error:
                    if self.on_bad_rows == "error":
                        raise InputError(f"{error} {SKIPPABLE}") from error
                    skipped.append(str(error))

        examples, some = usable(), False
        while batch := next_portion(examples):
            rows = self.encode(batch, findings)
            findings.note_unknown(rows, self.tokenizer)
            findings.first += len(batch)
            writer.write(batch, rows)
            some = True
        if not some:
            first = f" The first: {skipped[0]}" if skipped else ""
            raise InputError(f"{self.source.name(split)} has no usable row.{first}")
        writer.close(
            findings,
            columns=columns,
            skipped=len(skipped),
            first_skipped=skipped[0] if skipped else None,
        )

    # ------------------------------------------------------------------ predicting

    def _setup_predict(self) -> None:
        given = self.inline_rows()
        if given is not None:
            rows: TokenRows | RowsInMemory = self._inline(given)
            counts: Mapping[str, int] = self._inline_counts
        else:
            rows = self._read_inputs().rows
            counts = rows.notes.of(np.arange(len(rows.examples)))
        self.rows["predict"] = rows
        self.datasets["predict"] = self.predict_dataset(rows)
        self.predict_from = 0
        total = len(self.predict_rows)
        rank_zero_info("; ".join([f"predict: {total:,} rows", *told(dict(counts), self.longest, total)]) + ".")
        warn_of_unknown("predict", dict(counts), self.tokenizer)

    def _inline(self, given: list[Row]) -> RowsInMemory:
        if not given:
            raise InputError("data.predict_texts is empty: give at least one text.")
        given = [(where, mended(row, where)) for where, row in given]
        columns, findings = self.columns(*given[0], labeled=False), Findings()
        examples = [with_place(where, self.example(where, row, columns, labeled=False)) for where, row in given]
        made = self.encode(examples, findings)
        findings.note_unknown(made, self.tokenizer)
        self.predict_rows = [row for _, row in given]
        self.predict_key = digest([type(self).__name__, self.predict_rows])
        self._inline_counts = findings.counts
        return RowsInMemory(examples, made)

    def _read_inputs(self) -> Inputs:
        """The rows of files, or of a data set's test split."""
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
            columns = self.columns(where, row, labeled=False) if columns is None else columns
            return self.example(where, row, columns, labeled=False)

        key = [type(self).__name__, source.key(split), self.tokenizer_key(), self.longest, self.options(), FORMAT]

        def write(folder: Path) -> None:
            write_inputs(folder, source.rows(split), example, self.encode, self.tokenizer)

        return self.read_inputs(key, write)


LabelledDataModule = LabeledDataModule
"""Its name in version 0.1."""
