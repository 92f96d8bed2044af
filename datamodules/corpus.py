"""Raw text for every pretraining objective: documents, tokenized once, in blocks or packs, without loss."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from ..contracts import CAPACITY, ModuleFacts, module_facts
from ..errors import InputError, check_range
from ..storage import manifest
from ..storage.cache import TokenStore, TokenWriter, cached, digest
from ..text import words as word_lists
from ..text.cleaning import Cleaning
from ..text.encoding import encode
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.findings import KNOWN, UNKNOWN, Findings, unknown_id, warn_of_unknown
from ..text.progress import progress
from ..text.readers import mended
from ..text.splitting import held_out_documents
from ..text.tokenizer import separator_id
from ..text.tokenizing import FACTS, Tokenizing, sums
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .batching.blocks import Blocks
from .batching.mixture import Mixture
from .batching.packing import Packs
from .batching.predict_rows import Inputs, write_inputs
from .batching.token_rows import TokenRow
from .sources import Documents, Files, Several, Source, make_source

TOKENS_AT_ONCE = 1 << 24
"""Documents are divided into training and validation so many tokens at a time: memory stays bounded."""


@dataclass
class CorpusSource:
    """One corpus of a mixture.

    Args:
        files: paths, globs or URLs.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files.
        subset: the data set's configuration name.
        weight: share of the training blocks, relative to the other weights.
        documents: what a document is in a .txt file: a `line`, a `paragraph`, or the `file`.
        text_column: the column of the text in other formats.
        encoding: of text files.
    """

    files: str | list[str] | None = None
    dataset: str | None = None
    subset: str | None = None
    weight: float = 1.0
    documents: Documents = "line"
    text_column: str = "text"
    encoding: str = "utf-8"


class CorpusDataModule(BaseDataModule):
    """Text for pretraining, in blocks of tokens or as packed documents.

    Documents are tokenized without special tokens, and each ends with the separator token (or the end-of-text token).
    They are joined and cut into blocks, and each block gets the special tokens that the tokenizer puts around a text;
    the last, shorter block is padded. With `packing`, documents stay whole, as many as fit into a pack, and each gets
    the special tokens. No token is lost, and none comes twice.

    Batch: `input_ids` (rows, block_size) int64, `attention_mask` (rows, block_size) int64, and `token_type_ids`
    (rows, block_size) int64 where the tokenizer has them; `overlap` (rows,) int64 in evaluation with `eval_stride`, the
    number of tokens at the beginning of a row that are context only. Packed: `input_ids` and `position_ids` (1, tokens)
    int64, `cu_seq_lens` (documents + 1,) int32, where each document begins and the last one ends, and
    `token_type_ids`. With `word_ids`: `word_ids` int64 of the shape of `input_ids`, -1 on special tokens and padding.
    Prompts: `input_ids` and `attention_mask` (rows, longest) int64, padded on the right, and `index` (rows,) int64.

    Args:
        train_files: paths, globs or URLs of .txt, .jsonl, .csv, .tsv, .json, .parquet or .arrow files, plain or
            compressed (.gz, .zst, .bz2, .xz).
        validation_files: the same, to validate on.
        test_files: the same, to test on.
        predict_files: the same; each document is a prompt to continue.
        predict_texts: prompts to continue.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files; `installed_docs` is the
            documentation on this machine.
        subset: the data set's configuration name.
        sources: a mixture to train on instead, such as `[{files: a.txt, weight: 3}, {files: b.txt, weight: 1}]`.
        validation_fraction: share of the training documents that is held out when there is no validation split;
            chosen by content, so that copies of a document stay on one side. 0 holds out nothing.
        tokenizer: a name, a folder, an earlier run; `{train: wordpiece|bpe|bytelevel|unigram|character,
            vocab_size: N}`; `{extend: NAME, words: N}` for a tokenizer and the words it lacks; or null for the
            backbone's own.
        block_size: tokens in a block or pack, special tokens included.
        packing: whole documents instead of blocks; they do not see each other.
        eval_stride: tokens between the beginnings of two blocks in validation and test; null: they do not overlap.
            With less, each token but those of the first block has at least block_size - eval_stride tokens before it.
        special_tokens: whether blocks and packed documents get the tokenizer's special tokens; null: unless the module
            reads from left to right.
        word_ids: whether batches number the words; null: when the module hides whole words.
        words: for whole words in languages without spaces: a file with a word in each line, or the import path of a
            function from text to a list of words, such as `jieba.lcut`.
        cleaning: which documents to leave out.
        documents: what a document is in a .txt file: a `line`, a `paragraph` (blank lines between), or the `file`.
        text_column: the column of the text in other formats.
        encoding: of text files.
        batch_size: blocks or packs per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one, null chooses: none where
            the CPU computes, up to 4 for each GPU, as cores allow.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split and of the order of training.
    """

    length_option = "block_size"
    batches_at_once = True

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        validation_files: str | list[str] | None = None,
        test_files: str | list[str] | None = None,
        predict_files: str | list[str] | None = None,
        predict_texts: list[str] | None = None,
        dataset: str | None = None,
        subset: str | None = None,
        sources: list[CorpusSource] | None = None,
        validation_fraction: float = 0.05,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None = None,
        block_size: int = 128,
        packing: bool = False,
        eval_stride: int | None = None,
        special_tokens: bool | None = None,
        word_ids: bool | None = None,
        words: Callable[[str], list[str]] | str | None = None,  # in this order: an import path is a text too
        cleaning: Cleaning | None = None,
        documents: Documents = "line",
        text_column: str = "text",
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        check_range("data.validation_fraction", validation_fraction, least=0, below=1)
        if packing and eval_stride is not None:
            raise InputError(
                "data.packing and data.eval_stride exclude each other, as packed documents do not overlap: set "
                "data.eval_stride: null."
            )
        if isinstance(words, str) and not os.path.isfile(words):
            raise InputError(f"data.words: {words} is neither a word list that is there nor a function's import path.")
        files = {"validation": validation_files, "test": test_files, "predict": predict_files}
        reading: dict[str, Any] = {"encoding": encoding, "documents_are": documents, "text_column": text_column}
        self.weights = [1.0]
        if sources:
            if train_files or dataset:
                raise InputError("data.sources excludes data.train_files and data.dataset: leave one of them out.")
            self.source: Source = self._mixture(sources, files, reading)
        else:
            self.source = make_source({"train": train_files, **files}, dataset, subset, self.cache_dir, **reading)
        self.prompts = Files({"predict": predict_files}, **reading)
        self.predict_texts = predict_texts
        self.validation_fraction = validation_fraction
        self.block_size = block_size
        self.packing = packing
        self.eval_stride = eval_stride
        self.special_tokens = special_tokens
        self.word_ids = word_ids
        self.words = words
        self.cleaning = cleaning
        self.counts: dict[str, dict[str, int]] = {}
        """Of each split its `documents`, `tokens`, `words`, `bytes` and `unknown` tokens, once it is set up."""

    def _mixture(self, sources: list[CorpusSource], files: dict[str, Any], reading: dict[str, Any]) -> Several:
        sources = [CorpusSource(**source) if isinstance(source, dict) else source for source in sources]
        parts: list[Any] = []
        for number, source in enumerate(sources):
            if not (source.files or source.dataset) or source.weight <= 0:
                raise InputError(f"data.sources[{number}] needs `files` or a `dataset`, and a `weight` above 0.")
            options = {
                "documents_are": source.documents,
                "text_column": source.text_column,
                "encoding": source.encoding,
            }
            parts.append(make_source({"train": source.files}, source.dataset, source.subset, self.cache_dir, **options))
        self.weights = [source.weight for source in sources]
        return Several(parts, Files(files, **reading))

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest input in tokens."""
        return self.block_size

    @property
    def frames(self) -> bool:
        """Whether the tokenizer's special tokens go around a text."""
        if self.special_tokens is None:
            return bool(module_facts(self.module).frames_text)
        return self.special_tokens

    @property
    def numbers_words(self) -> bool:
        """Whether batches number the words."""
        return bool(module_facts(self.module).needs_word_ids) if self.word_ids is None else self.word_ids

    def serve(self, module: ModuleFacts) -> None:
        """Takes over the form of texts, too."""
        self.special_tokens = module.frames_text if self.special_tokens is None else self.special_tokens
        self.word_ids = module.needs_word_ids if self.word_ids is None else self.word_ids
        super().serve(module)

    @cached_property
    def segmenter(self) -> Callable[[str], list[str]] | None:
        """What finds words where no spaces do."""
        return word_lists.make_segmenter(self.words)

    def training_texts(self) -> Iterator[str]:
        """The training documents; near duplicates, which take long to find, are left in."""
        skipped: Counter[str] = Counter()
        documents = self.source.documents("train", skipped)
        if self.cleaning is not None:
            documents = replace(self.cleaning, near_duplicates=None).clean(documents, skipped)
        return progress(documents, "reading for the tokenizer")

    def training_key(self) -> Any:
        """What a cache key must hold of those texts."""
        key = self.source.key("train")
        return key if self.cleaning is None else [key, replace(self.cleaning, near_duplicates=None).key()]

    # ------------------------------------------------------------------ preparing

    def prepare_data(self) -> None:
        """Trains the tokenizer and tokenizes, unless the cache has it."""
        self.find_sources()
        self.load_tokenizer()
        if self.predicts() and not self.predict_texts:
            self._read_prompts()
        for split in self.wanted_splits():
            for part in self._parts(split):
                self._tokenized(part, split)

    def find_sources(self) -> None:
        """Looks for the packages of the cleaning, too: a tokenizer that is trained first needs none of them."""
        super().find_sources()
        if self.cleaning is not None and self.prepared_splits():
            self.cleaning.check_packages()

    def _parts(self, split: str) -> list[Source]:
        if not self.source.has(split):
            return []
        return [*self.source.parts] if isinstance(self.source, Several) and split == "train" else [self.source]

    def setup(self, stage: str) -> None:
        """Maps what was tokenized."""
        self.load_tokenizer()
        if stage == "predict":
            self._set_up_prompts()
            return
        if stage in ("fit", "validate") and not (self.source.has("train") or self.source.has("validation")):
            raise InputError("CorpusDataModule has nothing to train on: set data.train_files or data.dataset.")
        if stage == "test" and not self.source.has("test"):
            raise InputError("CorpusDataModule has nothing to test on: set data.test_files.")
        for split in ("test",) if stage == "test" else ("train", "validation"):
            if self.source.has(split):
                self._map(split)

    def _map(self, split: str) -> None:
        folders = [self._tokenized(part, split) for part in self._parts(split)]
        for part in ("train", "validation") if self._holds_out(split) else (split,):
            self.contents[part] = digest([manifest.contents(folder) for folder in folders])
            reports = [json.loads((folder / "report.json").read_text())[part] for folder in folders]
            datasets = [self._dataset(TokenStore(folder, part), part) for folder in folders]
            for dataset, source in zip(datasets, self._parts(split), strict=True):
                if not len(dataset):
                    change = "lower" if part == "train" else "raise"
                    raise InputError(
                        f"The {part} part of {source.name(split)} is empty: {change} data.validation_fraction "
                        f"({self.validation_fraction}), set data.validation_files, or data.validation_fraction: 0."
                    )
            mixed = len(datasets) > 1
            self.datasets[part] = Mixture(datasets, self.weights) if mixed else datasets[0]
            self.counts[part] = dict(sum((Counter(report["counts"]) for report in reports), Counter()))
            self._say(part, sum((Counter(report["skipped"]) for report in reports), Counter()))

    def _dataset(self, store: TokenStore, part: str) -> Blocks | Packs:
        if self.packing:
            frames, words = self.frames, self.numbers_words
            return Packs(store, self.tokenizer, self.block_size, frames, words, self.cache_dir)
        stride = None if part == "train" else self.eval_stride
        return Blocks(store, self.tokenizer, self.block_size, self.frames, stride, self.numbers_words)

    def _say(self, part: str, skipped: dict[str, int]) -> None:
        count = self.counts[part]
        kind = "packs of at most" if self.packing else "blocks of"
        rank_zero_info(
            f"{part}: {count['documents']:,} documents, {count['tokens']:,} tokens "
            f"({count['tokens'] / max(1, count['words']):.2f} a word, "
            f"{100 * count.get('unknown', 0) / max(1, count['tokens']):.2f}% unknown), "
            f"{len(self.datasets[part]):,} {kind} {self.block_size} tokens"
            + (f"; skipped: {_counts(skipped)}" if skipped else "")
            + "."
        )
        warn_of_unknown(part, {KNOWN: count["tokens"], UNKNOWN: count.get("unknown", 0)}, self.tokenizer)

    def _set_up_prompts(self) -> None:
        sequences: list[list[int]] | TokenStore
        if self.predict_texts:
            texts = mended(self.predict_texts, "data.predict_texts")
            self.predict_rows = [{"text": text} for text in texts]
            self.predict_key = digest(["prompts", texts])
            sequences = encode(self.tokenizer, texts)
        else:
            sequences = self._read_prompts().rows.stores["input_ids"]
        self.datasets["predict"] = Prompts(sequences, self.tokenizer.pad_token_id or 0)
        self.predict_from = 0

    def _read_prompts(self) -> Inputs:
        if not self.prompts.has("predict"):
            raise InputError("There is nothing to predict: set data.predict_files or data.predict_texts.")

        def encoded(examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
            return [[{"input_ids": ids}] for ids in encode(self.tokenizer, [e["text"] for e in examples])]

        def write(folder: Path) -> None:
            texts = self.prompts.documents("predict", Counter())
            rows = ((f"document {number}", {"text": text}) for number, text in enumerate(texts))
            write_inputs(folder, rows, lambda where, row: row, encoded, self.tokenizer)
            if not (folder / "inputs.ends.bin").stat().st_size:
                raise InputError(f"{self.prompts.name('predict')} holds no text to go on from.")

        return self.read_inputs(["prompts", self.prompts.key("predict"), self.tokenizer_key()], write)

    def hints(self, batch: Any) -> Any:
        """Adds how many places a batch has, which come in one shape; texts to be continued do not."""
        found = super().hints(batch)
        if not isinstance(found, dict) or "index" in found:
            return found
        return {**found, CAPACITY: self.batch_size * self.block_size}

    # ------------------------------------------------------------------ tokenizing

    def _holds_out(self, split: str) -> bool:
        return split == "train" and self.validation_fraction > 0 and not self.source.has("validation")

    def _tokenized(self, source: Source, split: str) -> Path:
        held_out = [self.validation_fraction, self.seed] if self._holds_out(split) else None
        words = [True, word_lists.key(self.words)] if self.numbers_words else None
        cleaning = self.cleaning.key() if self.cleaning is not None else None
        key = [split, source.key(split), self.tokenizer_key(), held_out, words, cleaning]
        return cached(self.cache_dir, "corpora", key, lambda folder: self._tokenize(source, split, folder))

    def _tokenize(self, source: Source, split: str, folder: Path) -> None:
        skipped: Counter[str] = Counter()
        writer = TokenWriter(folder, len(self.tokenizer), split)
        end = separator_id(self.tokenizer)
        total: Counter[str] = Counter()
        documents = source.documents(split, skipped)
        if self.cleaning is not None:
            documents = self.cleaning.clean(documents, skipped)
        documents = progress(documents, f"tokenizing {split}")
        tokenizing = Tokenizing(
            self.tokenizer,
            [] if end is None else [end],
            unknown_id(self.tokenizer),
            self.numbers_words,
            self.segmenter if self.numbers_words else None,
            self.seed,
        )
        facts = (folder / "facts.bin").open("wb")  # on disk: there may be a hundred million documents
        with closing(tokenizing.over(documents)) as batches:
            for batch in batches:
                writer.append(batch.ids, batch.facts["tokens"], batch.starts)
                facts.write(batch.facts.tobytes())
                total.update(sums(batch.facts))
        facts.close()
        writer.close()
        if not total:
            raise InputError(f"{source.name(split)} holds no document: {_counts(skipped) or 'no text'}.")
        report: dict[str, Any] = {}
        if self._holds_out(split):
            table = np.memmap(folder / "facts.bin", FACTS, "r")
            held = held_out_documents(table["hash"], self.validation_fraction, source.name(split))
            report["validation"] = {"counts": sums(table[held]), "skipped": {}}
            total.subtract(report["validation"]["counts"])
            _divide(folder, split, held, len(self.tokenizer), self.numbers_words)
        (folder / "facts.bin").unlink()
        report[split] = {"counts": dict(total), "skipped": dict(skipped)}
        (folder / "report.json").write_text(json.dumps(report))


class Prompts:
    """Beginnings of texts to be continued, as batches.

    Args:
        sequences: token ids of each.
        pad_id: for the places after the end of a row.
    """

    def __init__(self, sequences: list[list[int]] | TokenStore, pad_id: int) -> None:
        self.sequences, self.pad_id = sequences, pad_id

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        rows = [torch.tensor(np.asarray(self.sequences[i], np.int64)) for i in indices]
        pad = torch.nn.utils.rnn.pad_sequence
        ids = pad(rows, batch_first=True, padding_value=self.pad_id)
        mask = pad([torch.ones_like(row) for row in rows], batch_first=True)
        return {"input_ids": ids, "attention_mask": mask, "index": torch.tensor(indices)}


def _divide(folder: Path, split: str, held: np.ndarray, vocabulary: int, words: bool) -> None:
    """Divides one stream of documents into training and validation, in pieces that fit into memory."""
    whole = TokenStore(folder, split)
    parts = {name: TokenWriter(folder, vocabulary, f"{name}.part") for name in ("train", "validation")}
    first = place = 0
    while first < len(held):
        # As many documents as have so many tokens, but one at least.
        last = max(first + 1, int(np.searchsorted(whole.ends, place + TOKENS_AT_ONCE, side="right")))
        ends, chosen = whole.ends[first:last], held[first:last]
        lengths, end = np.diff(ends, prepend=place), int(ends[-1])
        of_token = np.repeat(chosen, lengths)
        ids, flags = whole.ids[place:end], whole.starts[place:end] if words else None
        for name, kept, tokens in (("train", ~chosen, ~of_token), ("validation", chosen, of_token)):
            parts[name].append(ids[tokens], lengths[kept], None if flags is None else flags[tokens])
        first, place = last, end
    del whole, ids, flags
    for name, writer in parts.items():
        writer.close()
        for suffix in ("bin", "ends.bin", "dtype", *(["starts.bin"] if words else [])):
            (folder / f"{name}.part.{suffix}").replace(folder / f"{name}.{suffix}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())
