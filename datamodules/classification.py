"""Labelled texts: one text or two, one label."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..errors import InputError
from .base import BaseDataModule
from .cache import cached
from .columns import Columns
from .rows import Batches, LabelledRows, RowWriter, encode_rows
from .sources import Files, Row, make_source
from .splitting import draw, hold_out, sort_labels
from .tokenizer_training import TrainTokenizer

ROWS_AT_ONCE = 2_000


class TextClassificationDataModule(BaseDataModule):
    """Texts, or pairs of texts, with one label each.

    Batches are padded to their longest row, and training batches are made of rows of similar length.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `token_type_ids` (rows, length) int64 where the
    tokenizer has them; `labels` (rows,) int64, an index into `labels`. Prediction batches have no labels, and `index`
    (rows,) int64, the row in `predict_rows`.

    Args:
        train_files: paths, globs or URLs of .csv, .tsv, .jsonl, .json, .parquet or .arrow files, plain or compressed.
        validation_files: the same, to validate on.
        test_files: the same, to test on.
        predict_files: the same, to predict; needs no labels.
        predict_texts: texts to predict, in place of files; a pair of texts is a list of two.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files; `installed_docs` (subset
            `packages`) is made of the documentation on this machine.
        subset: the data set's configuration name.
        splits: names of the data set's splits, as `{validation: dev}`, where guessing does not find them.
        validation_fraction: share of the training rows held out, by label, when there is no validation split.
        text_column: null looks for the usual names.
        text_pair_column: the second text of a pair.
        label_column: null looks for the usual names. Labels are strings or integers.
        label_names: names for the labels in the files, as `{0: negative, 1: positive}` or a list for 0, 1, ...;
            also fixes their order.
        examples_per_label: train on so many rows of each label, drawn by `seed`: learning from few labels.
        on_bad_rows: `error`, or `skip` rows with an empty text or no label (they are counted and reported).
        tokenizer: a name, a folder, an earlier run, options for training one, or null for the backbone's own.
        max_length: tokens at most; longer texts are truncated, which is counted and reported. null means what the
            tokenizer and the backbone allow, at most 512.
        group_by_length: train on batches of similar length.
        encoding: of text files.
        batch_size: rows per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out rows, the draw of few labels and the order of training.
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        validation_files: str | list[str] | None = None,
        test_files: str | list[str] | None = None,
        predict_files: str | list[str] | None = None,
        predict_texts: str | list[str] | list[list[str]] | None = None,
        dataset: str | None = None,
        subset: str | None = None,
        splits: dict[str, str] | None = None,
        validation_fraction: float = 0.1,
        text_column: str | None = None,
        text_pair_column: str | None = None,
        label_column: str | None = None,
        label_names: dict[str, str] | list[str] | None = None,
        examples_per_label: int | None = None,
        on_bad_rows: Literal["error", "skip"] = "error",
        tokenizer: str | TrainTokenizer | None = None,
        max_length: int | None = None,
        group_by_length: bool = True,
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int = 0,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        if not 0 <= validation_fraction < 1:
            raise InputError(f"data.validation_fraction is {validation_fraction}; it must be at least 0 and below 1.")
        if max_length is not None and max_length < 4:
            raise InputError(f"data.max_length is {max_length}; with special tokens, texts need at least 4.")
        files = {"train": train_files, "validation": validation_files, "test": test_files, "predict": predict_files}
        self.source = make_source(files, dataset, subset, self.cache_dir, encoding=encoding, splits=splits)
        self.predict_files = predict_files
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts
        self.validation_fraction = validation_fraction
        self.columns = Columns(text_column, text_pair_column, label_column)
        self.label_names = label_names
        self.examples_per_label = examples_per_label
        self.on_bad_rows = on_bad_rows
        self.max_length = max_length
        self.group_by_length = group_by_length
        self.encoding = encoding
        self.labels: list[str] | None = None
        """The label names in the order of their indices; known after `setup`."""
        self.label_counts: list[int] = []
        """Training rows of each label; known after `setup('fit')`."""
        self.predict_rows: list[dict[str, Any]] = []
        """The rows to predict, with all their columns; known after `setup('predict')`."""

    @property
    def longest(self) -> int:
        """The longest input in tokens."""
        if self.max_length is not None:
            return self.max_length
        of_backbone = getattr(self.module, "input_limit", lambda: None)()
        return min(512, int(self.tokenizer.model_max_length), of_backbone or 512)

    def training_texts(self) -> Iterator[str]:
        """The texts of the training rows."""
        for where, row in self.source.rows("train"):
            columns = self.columns.found(where, row, labelled=False)
            yield from (str(row[name]) for name in (columns.text, columns.pair) if name)

    # ------------------------------------------------------------------ preparing

    def prepare_data(self) -> None:
        """Tokenises, unless the cache has it."""
        self.load_tokenizer()
        for split in ("train", "validation", "test"):
            if self.source.has(split):
                self._tokenised(split)

    def setup(self, stage: str) -> None:
        """Maps the tokenised rows, finds the labels, holds out and draws."""
        self.load_tokenizer()
        if stage == "predict":
            self._setup_predict()
        elif stage == "test":
            if not self.source.has("test"):
                raise InputError("There is nothing to test on: set data.test_files (or a data set with a test split).")
            self._setup_labelled(["test"])
        else:
            splits = [split for split in ("train", "validation") if self.source.has(split)]
            if not splits or (stage == "fit" and "train" not in splits):
                raise InputError("There is nothing to train on: set data.train_files or data.dataset.")
            self._setup_labelled(splits, fitting=stage == "fit")

    def _setup_labelled(self, splits: list[str], fitting: bool = False) -> None:
        rows = {split: LabelledRows(self._tokenised(split)) for split in splits}
        first = rows[splits[0]]
        self.labels = self._find_labels(first, fitting)
        indices = {split: data.indices_of(self.labels, self._rename, split) for split, data in rows.items()}
        chosen = {split: np.arange(len(found)) for split, found in indices.items()}
        if "train" in rows and "validation" not in rows and self.validation_fraction > 0:
            rows["validation"], indices["validation"] = first, indices["train"]
            chosen["train"], chosen["validation"] = hold_out(indices["train"], self.validation_fraction, self.seed)
        if "train" in rows and self.examples_per_label:
            chosen["train"] = draw(indices["train"], chosen["train"], self.examples_per_label, self.seed)
        for split, data in rows.items():
            picked = chosen[split]
            if not len(picked):
                raise InputError(
                    f"The {split} part of {self.source.name('train')} is empty: it has too few rows for "
                    f"data.validation_fraction {self.validation_fraction}; raise it, or set data.validation_files."
                )
            self.datasets[split] = Batches(
                data.store, data.types, picked, indices[split][picked], self.tokenizer, self.group_by_length
            )
            counts = np.bincount(indices[split][picked], minlength=len(self.labels))
            if split == "train":
                self.label_counts = counts.tolist()
                if fitting and (counts > 0).sum() < 2:
                    only = self.labels[int(counts.argmax())]
                    raise InputError(
                        f"{self.source.name('train')} has one class only ({only!r}); at least two are needed."
                    )
            self._report(split, data, counts)

    def _report(self, split: str, data: LabelledRows, counts: np.ndarray) -> None:
        names = self.labels or []
        shares = [f"{name} {n:,} ({n / max(1, counts.sum()):.0%})" for name, n in zip(names, counts, strict=True)]
        more = ", ..." if len(shares) > 20 else ""
        line = f"{split}: {counts.sum():,} rows; {', '.join(shares[:20])}{more}"
        if data.meta["truncated"]:
            line += f"; truncated to {self.longest} tokens: {data.meta['truncated']:,} of {data.meta['rows']:,}"
        if data.meta["skipped"]:
            line += "; skipped: " + ", ".join(f"{n:,} {why}" for why, n in data.meta["skipped"].items())
        rank_zero_info(line + ".")

    def _find_labels(self, data: LabelledRows, fitting: bool) -> list[str]:
        if self.label_names is not None:
            names = self.label_names.values() if isinstance(self.label_names, dict) else self.label_names
            return list(dict.fromkeys(names))
        known = getattr(self.module, "known_labels", lambda fitting: None)(fitting)
        if known is not None:
            return list(known)
        labels = sort_labels({self._rename(raw) for raw in data.meta["labels"]})
        if len(labels) < 2:
            raise InputError(
                f"{self.source.name('train')} has one class only: every row has the label {labels[0]!r} in column "
                f"{data.meta['label_column']!r}. At least two are needed."
            )
        return labels

    def _rename(self, raw: str) -> str:
        if isinstance(self.label_names, list):
            return self.label_names[int(raw)] if raw.isdigit() and int(raw) < len(self.label_names) else raw
        return {str(k): v for k, v in (self.label_names or {}).items()}.get(raw, raw)

    def _tokenised(self, split: str) -> Path:
        options = [self.columns.key(), self.longest, self.on_bad_rows]
        key = [self.source.key(split), self.tokenizer_key(), options]
        return cached(self.cache_dir, "rows", key, lambda folder: self._tokenise(split, folder))

    def _tokenise(self, split: str, folder: Path) -> None:
        writer = RowWriter(folder, self.tokenizer, self.longest)
        raw_labels: list[int] = []
        seen: dict[str, tuple[int, str]] = {}
        skipped: Counter[str] = Counter()
        columns = None

        def usable() -> Iterator[tuple[str, str | None]]:
            nonlocal columns
            for where, row in self.source.rows(split):
                columns = columns or self.columns.found(where, row, labelled=True, say=split == "train")
                try:
                    texts = columns.texts(where, row)
                    label = columns.label_of(where, row)
                except InputError as error:
                    if self.on_bad_rows == "error":
                        raise InputError(f"{error} data.on_bad_rows: skip leaves such rows out.") from error
                    skipped["without text or label"] += 1
                    continue
                raw_labels.append(seen.setdefault(label, (len(seen), where))[0])
                yield texts

        rows = usable()
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            writer.write(batch)
        meta = writer.close()
        if not raw_labels or columns is None:
            raise InputError(f"{self.source.name(split)} has no usable row.")
        np.save(folder / "labels.npy", np.array(raw_labels, np.int32))
        meta |= {
            "labels": list(seen),
            "first": {label: where for label, (_, where) in seen.items()},
            "skipped": dict(skipped),
            "label_column": columns.label,
        }
        (folder / "meta.json").write_text(json.dumps(meta))

    def _setup_predict(self) -> None:
        if self.predict_texts is not None:
            rows: list[Row] = []
            names = (self.columns.text or "text", self.columns.pair or "text_pair")
            for index, text in enumerate(self.predict_texts):
                pair = [text] if isinstance(text, str) else list(text)
                rows.append((f"data.predict_texts[{index}]", dict(zip(names, pair, strict=False))))
            columns = Columns(names[0], names[1] if rows and len(rows[0][1]) > 1 else None, None)
        elif self.predict_files:
            files = (
                self.source if isinstance(self.source, Files) else Files({"predict": self.predict_files}, self.encoding)
            )
            rows = list(files.rows("predict"))
            columns = self.columns
        elif not isinstance(self.source, Files) and self.source.has("test"):
            rows, columns = list(self.source.rows("test")), self.columns
        else:
            raise InputError("There is nothing to predict: set data.predict_files, or data.predict_texts.")
        if not rows:
            raise InputError("data.predict_texts is empty: give at least one text.")
        found = columns.found(*rows[0], labelled=False)
        texts = [found.texts(where, row) for where, row in rows]
        self.predict_rows = [row for _, row in rows]
        encoded, truncated = encode_rows(self.tokenizer, texts, self.longest)
        rank_zero_info(f"predict: {len(rows):,} rows" + (f"; truncated: {truncated:,}" if truncated else "") + ".")
        self.datasets["predict"] = Batches.in_memory(encoded, self.tokenizer)
