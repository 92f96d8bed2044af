"""The base of the datamodules for labeled data: splits, what is held out and drawn, and what is said of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import Survey
from ..errors import InputError, check_range
from ..storage import manifest
from ..storage.cache import find
from ..text.findings import told, warn_of_unknown
from ..text.splitting import hold_out
from ..text.train_tokenizer import TrainTokenizer
from .batching.batches import Batches
from .batching.token_rows import TokenRows
from .sources import make_source
from .surveying import survey_examples
from .tables.label_facts import LabelFacts, text_labels, word_labels
from .tables.labels import LabelNames
from .tables.leakage import SplitExamples, warn_of_few_rows, warn_of_missing_labels, warn_of_shared_texts
from .tabular import TabularDataModule


class LabeledDataModule(TabularDataModule):
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
    names = LabelNames(None)
    """What the labels in the data are called."""

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
        super().__init__(
            predict_files,
            on_bad_rows,
            max_length,
            encoding,
            tokenizer,
            batch_size,
            num_workers,
            cache_dir,
            seed,
        )
        check_range("data.validation_fraction", validation_fraction, least=0, below=1)
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
        self.validation_fraction = validation_fraction
        self.group_by_length = group_by_length
        self.tokens_per_batch = tokens_per_batch
        self._parts: dict[str, SplitExamples] = {}
        self._trained: dict[str, SplitExamples] | None = None

    # ------------------------------------------------------------------ hooks for subclasses

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Find what follows from the data, such as label names; called before the splits are made.

        Args:
            rows: of each split; the first is what is trained, validated or tested on.
            fitting: whether a head is about to be trained.
        """

    def hold_out(self, rows: TokenRows) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the examples that train, and of those held out to validate on."""
        return hold_out(np.zeros(len(rows.examples), np.int64), self.validation_fraction, self.seed)

    def choose(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return those of the training examples that are trained on, and say what that leaves out."""
        return self.drawn(rows, examples)

    def drawn(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return those of the training examples that are trained on; it is asked again when rows are compared."""
        return examples

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Any:
        """Return the batches of a split; each says under `example` which examples its rows belong to."""
        picked = rows.of(examples)
        lengths = rows.lengths[picked] if self.group_by_length or self.tokens_per_batch else None
        return Batches(rows, picked, self.collate(), {"example": rows.owners[picked]}, lengths)

    def describe(self, split: str, examples: np.ndarray) -> str:
        """Return what the report says of a split beside the number of rows."""
        return ""

    def words_of_labels(self, rows: TokenRows, examples: np.ndarray) -> dict[str, int]:
        """Return how many words of some examples have each label; empty where rows have labels, and not words."""
        return {}

    # ------------------------------------------------------------------ splits

    def prepared_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """Return all but the test, which may have no labels so far: it is read when it is tested on."""
        wanted = self.wanted_splits()
        return tuple(name for name in wanted if name != "test") or wanted

    def setup(self, stage: str) -> None:
        """Map the tokenized rows, find the labels, hold out and draw."""
        self.load_tokenizer()
        if stage == "predict":
            self.setup_predict()
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
        rows = {split: TokenRows(self.tokenized(split)) for split in splits}
        self.contents |= {split: manifest.contents(split_rows.folder) for split, split_rows in rows.items()}
        self.inspect(rows, fitting)
        chosen = {split: np.arange(len(split_rows.examples)) for split, split_rows in rows.items()}
        if "train" in rows and "validation" not in rows and self.validation_fraction > 0:
            rows["validation"] = rows["train"]
            chosen["train"], chosen["validation"] = self.hold_out(rows["train"])
        if "train" in rows:
            chosen["train"] = self.choose(rows["train"], chosen["train"])
        for split, split_rows in rows.items():
            if not len(chosen[split]):
                change = "lower" if split == "train" else "raise"
                raise InputError(
                    f"The {split} part of {self.source.name('train')} is empty: it has too few rows for "
                    f"data.validation_fraction {self.validation_fraction}; {change} it, or set data.validation_files."
                )
            self.rows[split] = split_rows
            self.datasets[split] = self.dataset(split_rows, chosen[split], split)
            self._report(split, split_rows, chosen[split])
            self._parts[split] = SplitExamples(split_rows, chosen[split])
        if self.trainer is None or self.trainer.is_global_zero:
            self._warn(splits[0], fitting)

    def label_facts(self, split: str, most: int) -> LabelFacts:
        """Return of each label, or kind of entity, how often a split has it, and some of its texts."""
        part = self._parts[split]
        if "gold" in part.rows.stores:
            return word_labels(part, bool(self.tagging), most)
        return text_labels(self.occurrences(split), part, self.names, most)

    def are_same(self, split: str, other: str) -> bool:
        """Return whether two splits are read from the same rows, and neither is a part of the other's."""
        one, two = self.contents.get(split), self.contents.get(other)
        return one is not None and one == two

    def _warn(self, split: str, fitting: bool) -> None:
        """Warn of what makes scores say less than they seem to; once for each split, when it first matters."""
        if fitting and "validation" in self._parts:
            warn_of_shared_texts(self._parts["train"], self._parts["validation"], "validation")
            warn_of_missing_labels(self.occurrences("train"), self.occurrences("validation"))
            rows = {name: len(self._parts[name].examples) for name in ("train", "validation")}
            is_held_out = self._parts["validation"].rows is self._parts["train"].rows
            warn_of_few_rows(**rows, labels=len(self.occurrences("train")), held_out=is_held_out)
        elif split == "test" and (known := self._training_parts()):
            warn_of_shared_texts(known["train"], self._parts["test"], "test", known.get("validation"))

    def _training_parts(self) -> dict[str, SplitExamples]:
        """Return what was trained on, and what was held out of the same rows.

        Nothing is read anew for a test: where neither is set up, nor in the cache, there is nothing.
        """
        if "train" in self._parts:
            held_out = self._parts.get("validation")
            same = held_out is not None and held_out.rows is self._parts["train"].rows
            return {name: self._parts[name] for name in ("train", *(["validation"] if same else []))}
        if self._trained is None:
            self._trained = self._find_training_parts()
        return self._trained

    def _find_training_parts(self) -> dict[str, SplitExamples]:
        try:
            folder = find(self.cache_dir, "rows", self.rows_key("train")) if self.source.has("train") else None
        except (InputError, OSError):  # the files are no longer there, and need not be
            return {}
        if folder is None:
            return {}
        rows = TokenRows(folder)
        chosen = {"train": np.arange(len(rows.examples))}
        with suppress(InputError):  # they need not be of this model's labels: then all of them count
            if not self.source.has("validation") and self.validation_fraction > 0:
                chosen["train"], chosen["validation"] = self.hold_out(rows)
            chosen["train"] = self.drawn(rows, chosen["train"])
        return {name: SplitExamples(rows, examples) for name, examples in chosen.items()}

    def survey(self, split: str) -> Survey | None:
        """Return what is known of all rows of a split that is set up, but for those to predict."""
        if split not in self._parts:
            return None
        part = self._parts[split]
        counts, count = part.rows.notes.of(part.examples), len(part.examples)
        labels = self.occurrences(split) or self.words_of_labels(part.rows, part.examples)
        says = self.describe(split, part.examples) if not labels else ""
        notes = [*([says] if says else []), *told(counts, self.longest, count)]
        if skipped := part.rows.meta["skipped"]:
            notes.append(f"skipped, as they cannot be used: {skipped:,}; the first: {part.rows.meta['first_skipped']}")
        parts = {**self._parts, **(self._training_parts() if split == "test" else {})}
        return survey_examples(split, parts, limit=self.longest, notes=notes, labels=labels)

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


LabelledDataModule = LabeledDataModule
"""Its name in version 0.1."""
