"""Raw text for every pretraining objective: documents, tokenised once, cut into blocks without loss."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..errors import InputError
from .base import BaseDataModule
from .blocks import Blocks, encode
from .cache import TokenStore, TokenWriter, cached
from .progress import progress
from .sources import Documents, make_source
from .tokenizer_training import TrainTokenizer

BATCH_CHARACTERS = 1_000_000
"""Texts are tokenised in batches of about this size: all cores are busy, memory stays bounded."""


class CorpusDataModule(BaseDataModule):
    """Text for pretraining, in blocks of tokens.

    Documents are tokenised without special tokens, joined with the separator token (or the end-of-text token) after
    each, and cut into blocks; each block then gets the special tokens that the tokenizer puts around a text. The last,
    shorter block is padded: no token is lost.

    Batch: `input_ids` (rows, block_size) int64, `attention_mask` (rows, block_size) int64, and `token_type_ids`
    (rows, block_size) int64 where the tokenizer has them.

    Args:
        train_files: paths, globs or URLs of .txt, .jsonl, .csv, .tsv, .json, .parquet or .arrow files, plain or
            compressed (.gz, .zst, .bz2, .xz).
        validation_files: the same, to validate on.
        test_files: the same, to test on.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files; `installed_docs` is the
            documentation on this machine.
        subset: the data set's configuration name.
        validation_fraction: share of the training documents that is held out when there is no validation split;
            chosen by content, so that copies of a document stay on one side. 0 holds out nothing.
        tokenizer: a name, a folder, an earlier run; `{train: wordpiece|bpe|bytelevel|unigram|character,
            vocab_size: N}`; or null for the backbone's own.
        block_size: tokens in a block, special tokens included.
        documents: what a document is in a .txt file: a `line`, a `paragraph` (blank lines between), or the `file`.
        text_column: the column of the text in other formats.
        encoding: of text files.
        batch_size: blocks per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split and of the order of training.
    """

    length_option = "block_size"

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        validation_files: str | list[str] | None = None,
        test_files: str | list[str] | None = None,
        dataset: str | None = None,
        subset: str | None = None,
        validation_fraction: float = 0.05,
        tokenizer: str | TrainTokenizer | None = None,
        block_size: int = 128,
        documents: Documents = "line",
        text_column: str = "text",
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int = 0,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        if not 0 <= validation_fraction < 1:
            raise InputError(f"data.validation_fraction is {validation_fraction}; it must be at least 0 and below 1.")
        self.source = make_source(
            {"train": train_files, "validation": validation_files, "test": test_files},
            dataset,
            subset,
            self.cache_dir,
            encoding=encoding,
            documents_are=documents,
            text_column=text_column,
        )
        self.validation_fraction = validation_fraction
        self.block_size = block_size

    @property
    def longest(self) -> int:
        """The longest input in tokens."""
        return self.block_size

    def training_texts(self) -> Iterator[str]:
        """The training documents."""
        return progress(self.source.documents("train", Counter()), "reading for the tokenizer")

    # ------------------------------------------------------------------ preparing

    def prepare_data(self) -> None:
        """Trains the tokenizer and tokenises, unless the cache has it."""
        self.load_tokenizer()
        for split in ("train", "validation", "test"):
            if self.source.has(split):
                self._tokenised(split)

    def setup(self, stage: str) -> None:
        """Maps the tokenised blocks."""
        self.load_tokenizer()
        if stage in ("fit", "validate") and not (self.source.has("train") or self.source.has("validation")):
            raise InputError("CorpusDataModule has nothing to train on: set data.train_files or data.dataset.")
        if stage == "test" and not self.source.has("test"):
            raise InputError("CorpusDataModule has nothing to test on: set data.test_files.")
        if stage == "predict":
            raise InputError("CorpusDataModule has no texts to predict; a downstream task's datamodule has.")
        for split in ("test",) if stage == "test" else ("train", "validation"):
            if self.source.has(split):
                self._map(split)

    def _map(self, split: str) -> None:
        folder = self._tokenised(split)
        for part in ("train", "validation") if self._holds_out(split) else (split,):
            dataset = Blocks(TokenStore(folder, part), self.tokenizer, self.block_size)
            report = json.loads((folder / "report.json").read_text())[part]
            rank_zero_info(
                f"{part}: {report['documents']:,} documents, {report['tokens']:,} tokens, {len(dataset):,} blocks of "
                f"{self.block_size}" + (f"; skipped: {_counts(report['skipped'])}" if report["skipped"] else "") + "."
            )
            if not len(dataset):
                raise InputError(
                    f"The {part} part of {self.source.name(split)} is empty: raise data.validation_fraction "
                    f"({self.validation_fraction}), set data.validation_files, or data.validation_fraction: 0."
                )
            self.datasets[part] = dataset

    def _holds_out(self, split: str) -> bool:
        return split == "train" and self.validation_fraction > 0 and not self.source.has("validation")

    def _tokenised(self, split: str) -> Path:
        held_out = [self.validation_fraction, self.seed] if self._holds_out(split) else None
        key = [split, self.source.key(split), self.tokenizer_key(), held_out]
        return cached(self.cache_dir, "corpora", key, lambda folder: self._tokenise(split, folder))

    def _tokenise(self, split: str, folder: Path) -> None:
        skipped: Counter[str] = Counter()
        writer = TokenWriter(folder, len(self.tokenizer), split)
        separator = _separator(self.tokenizer)
        hashes: list[np.ndarray] = []
        documents = progress(self.source.documents(split, skipped), f"tokenising {split}")
        while batch := _batch(documents):
            writer.write([ids + separator for ids in encode(self.tokenizer, batch)])
            hashes.append(np.fromiter((_hash(text, self.seed) for text in batch), np.uint64, len(batch)))
        lengths = writer.close()
        report = {split: {"documents": len(lengths), "tokens": int(lengths.sum()), "skipped": dict(skipped)}}
        if not len(lengths):
            raise InputError(f"{self.source.name(split)} holds no document: {_counts(skipped) or 'no text'}.")
        if self._holds_out(split):
            report |= self._hold_out(folder, split, np.concatenate(hashes), skipped)
        (folder / "report.json").write_text(json.dumps(report))

    def _hold_out(self, folder: Path, split: str, hashes: np.ndarray, skipped: Counter[str]) -> dict[str, Any]:
        """Divides one stream of documents into training and validation, in pieces that fit into memory."""
        count = max(1, round(self.validation_fraction * len(hashes)))
        held = hashes <= np.partition(hashes, count - 1)[count - 1]  # copies of a document have the same hash
        if held.all():
            raise InputError(
                f"{self.source.name(split)} holds one document only (or copies of it), so that none can be held out: "
                "set data.documents (line, paragraph, file), data.validation_files, or data.validation_fraction: 0."
            )
        whole = TokenStore(folder, split)
        parts = {name: TokenWriter(folder, len(self.tokenizer), f"{name}.part") for name in ("train", "validation")}
        for start in range(0, len(held), 10_000):
            chunk = range(start, min(start + 10_000, len(held)))
            parts["train"].write([whole[i] for i in chunk if not held[i]])
            parts["validation"].write([whole[i] for i in chunk if held[i]])
        del whole
        report = {}
        for name, writer in parts.items():
            lengths = writer.close()
            for suffix in ("bin", "ends.npy", "dtype"):
                (folder / f"{name}.part.{suffix}").replace(folder / f"{name}.{suffix}")
            report[name] = {"documents": len(lengths), "tokens": int(lengths.sum()), "skipped": {}}
        report["train"]["skipped"] = dict(skipped)
        return report


def _separator(tokenizer: Any) -> list[int]:
    for token in (tokenizer.sep_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [token]
    return []


def _batch(documents: Iterator[str]) -> list[str]:
    batch: list[str] = []
    size = 0
    for text in islice(documents, 10_000):
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            break
    return batch


def _hash(text: str, seed: int) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8, salt=seed.to_bytes(8, "little", signed=True)).digest(), "little"
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())
