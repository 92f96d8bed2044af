"""Pairs of consecutive segments out of documents, for objectives about sentences."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from ..contracts.random_streams import OTHER_SEGMENT, SEGMENT_LENGTHS
from ..errors import InputError, check_range
from ..storage import manifest
from ..storage.cache import TokenStore, TokenWriter, cached, digest, mapped
from ..text.cleaning import Cleaning, function_key
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.progress import progress
from ..text.sentences import split_sentences
from ..text.splitting import held_out_documents
from ..text.tokenizer import pair_frame
from ..text.tokenizing import SentenceTokenizing, Tokenizing
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .sources import Documents, make_source


class SentencePairDataModule(BaseDataModule):
    """Documents as pairs of segments that follow each other.

    As in BERT (arXiv 1810.04805, appendix A.2), sentences of a document are gathered up to a number of tokens, which
    is the most that fits for 90% of the pairs and drawn at random between 2 and that for the others; they are divided
    between two sentences at random. A sentence stands in one pair only. For every pair there is also a segment of
    another document that begins and ends between sentences, of about the length of the second.

    Which segment is shown, and in which order, is left to the objective.

    Batch: `segment_a`, `segment_b`, `segment_other`, each (rows, longest of its kind) int64: token ids without special
    tokens, -1 after the end. `segment_b` follows `segment_a`; with either of the other two and the special tokens,
    `segment_a` has at most max_length tokens. `document` (rows,) and `other_document` (rows,) int64 number the
    documents.

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
        max_length: tokens in a pair at most, special tokens included.
        short_fraction: share of the pairs that are shorter.
        splitter: import path of a function from a text to its sentences, such as `nltk.sent_tokenize`; null splits at
            English and Chinese punctuation and at line ends.
        cleaning: which documents to leave out.
        documents: what a document is in a .txt file: a `line`, a `paragraph` (blank lines between), or the `file`.
        text_column: the column of the text in other formats.
        encoding: of text files.
        batch_size: pairs per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one, null chooses: none where
            the CPU computes, up to 4 for each GPU, as cores allow.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split, of the pairs' lengths and of the order of training.
    """

    holds = "sentence pairs"

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        validation_files: str | list[str] | None = None,
        test_files: str | list[str] | None = None,
        dataset: str | None = None,
        subset: str | None = None,
        validation_fraction: float = 0.05,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None = None,
        max_length: int = 128,
        short_fraction: float = 0.1,
        splitter: Callable[[str], list[str]] | None = None,
        cleaning: Cleaning | None = None,
        documents: Documents = "paragraph",
        text_column: str = "text",
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        check_range("data.validation_fraction", validation_fraction, least=0, below=1)
        check_range("data.short_fraction", short_fraction, least=0, most=1)
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
        self.max_length = max_length
        self.short_fraction = short_fraction
        self.splitter = splitter
        self.cleaning = cleaning

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest input in tokens."""
        return self.max_length

    def training_texts(self) -> Iterator[str]:
        """The training documents."""
        return progress(self.source.documents("train", Counter()), "reading for the tokenizer")

    # ------------------------------------------------------------------ preparing

    def prepare_data(self) -> None:
        """Trains the tokenizer and tokenizes, unless the cache has it."""
        self.find_sources()
        self.load_tokenizer()
        for split in self.wanted_splits():
            if self.source.has(split):
                self._tokenized(split)

    def setup(self, stage: str) -> None:
        """Maps the tokenized sentences and makes pairs."""
        self.load_tokenizer()
        if stage in ("fit", "validate") and not (self.source.has("train") or self.source.has("validation")):
            raise InputError("SentencePairDataModule has nothing to train on: set data.train_files or data.dataset.")
        if stage == "test" and not self.source.has("test"):
            raise InputError("SentencePairDataModule has nothing to test on: set data.test_files.")
        if stage == "predict":
            raise InputError("SentencePairDataModule has nothing to predict; a downstream task's datamodule has.")
        for split in ("test",) if stage == "test" else ("train", "validation"):
            if self.source.has(split):
                self._map(split)

    def _map(self, split: str) -> None:
        folder = self._tokenized(split)
        report = json.loads((folder / "report.json").read_text())
        content = self.max_length - len(pair_frame(self.tokenizer))
        if content < 2:
            raise InputError(f"data.max_length is {self.max_length}, which leaves no room for two segments.")
        store = Sentences(folder)
        held = np.load(folder / "held_out.npy")
        for part, chosen in (("train", ~held), ("validation", held)) if self._holds_out(split) else ((split, ~held),):
            key = [folder.name, part, content, self.short_fraction, self.seed]
            documents = np.flatnonzero(chosen)

            def make(into: Path, documents: np.ndarray = documents) -> None:
                gather_pairs(store, documents, content, self.short_fraction, self.seed, into)

            made = cached(self.cache_dir, "pairs", key, make)
            self.contents[part] = digest([manifest.contents(folder), manifest.contents(made)])
            pairs = Pairs(store, made, content, self.seed)
            skipped = Counter(json.loads((made / "skipped.json").read_text()))
            if part == split:
                skipped.update(report["skipped"])
            rank_zero_info(
                f"{part}: {len(documents):,} documents, {len(pairs):,} pairs of segments"
                + "".join(f"; {count:,} {what}" for what, count in skipped.items() if count)
                + "."
            )
            if not len(pairs):
                raise InputError(
                    f"The {part} part of {self.source.name(split)} holds no two sentences that follow each other in a "
                    "document: set data.documents (paragraph, file) so that a document has several sentences, or "
                    "data.splitter."
                )
            if pairs.table[0, 3] == pairs.table[-1, 3]:
                raise InputError(
                    f"The {part} part of {self.source.name(split)} has one document only, so that no segment can be of "
                    "another one: set data.documents (line, paragraph, file) or give more files."
                )
            self.datasets[part] = pairs

    def _holds_out(self, split: str) -> bool:
        return split == "train" and self.validation_fraction > 0 and not self.source.has("validation")

    def _tokenized(self, split: str) -> Path:
        held_out = [self.validation_fraction, self.seed] if self._holds_out(split) else None
        cleaning = self.cleaning.key() if self.cleaning is not None else None
        key = [split, self.source.key(split), self.tokenizer_key(), held_out, function_key(self.splitter), cleaning]
        return cached(self.cache_dir, "sentences", key, lambda folder: self._tokenize(split, folder))

    def _tokenize(self, split: str, folder: Path) -> None:
        skipped: Counter[str] = Counter()
        writer = TokenWriter(folder, len(self.tokenizer))
        sizes, hashes = array("q"), array("Q")  # eight bytes for each document
        documents = self.source.documents(split, skipped)
        if self.cleaning is not None:
            documents = self.cleaning.clean(documents, skipped)
        documents = progress(documents, f"tokenizing {split}")
        tokenizing = Tokenizing(self.tokenizer, end=[], unknown=None, word_starts=False, segmenter=None, seed=self.seed)
        with closing(SentenceTokenizing(tokenizing, self.splitter or split_sentences).over(documents)) as batches:
            for batch in batches:
                writer.append(batch.ids, batch.lengths)
                sizes.frombytes(batch.sizes.tobytes())
                hashes.frombytes(batch.hashes.tobytes())
                if batch.empty:
                    skipped["documents without a token"] += batch.empty
        writer.close()
        if not sizes:
            raise InputError(f"{self.source.name(split)} holds no document.")
        held = np.zeros(len(sizes), bool)
        if self._holds_out(split):
            table = np.frombuffer(hashes, np.uint64)
            held = held_out_documents(table, self.validation_fraction, self.source.name(split))
        np.save(folder / "held_out.npy", held)
        np.save(folder / "documents.npy", np.cumsum(sizes))
        (folder / "report.json").write_text(json.dumps({"skipped": dict(skipped)}))


class Sentences(TokenStore):
    """Sentences on disk, and the documents that they make up."""

    @cached_property
    def documents(self) -> np.ndarray:
        """(documents,): the number of sentences up to the end of each document."""
        documents: np.ndarray = np.load(self.folder / "documents.npy", mmap_mode="r")
        return documents

    def tokens(self, first: int, last: int) -> np.ndarray:
        """The tokens of the sentences from `first` up to, not including, `last`."""
        return self.ids[self.place(first) : self.place(last)]


def gather_pairs(
    store: Sentences, documents: np.ndarray, content: int, short_fraction: float, seed: int, folder: Path
) -> None:
    """Divides documents into pairs of segments and writes `pairs.bin` and `skipped.json`.

    Args:
        store: the sentences.
        documents: (n,), the numbers of the documents to take.
        content: tokens in both segments at most.
        short_fraction: share of the pairs that are shorter.
        seed: of lengths and divisions.
        folder: where to.
    """
    skipped: Counter[str] = Counter()
    rng = np.random.default_rng([seed, SEGMENT_LENGTHS])
    with (folder / "pairs.bin").open("wb") as file:
        for document in documents:
            first = int(store.documents[document - 1]) if document else 0
            last = int(store.documents[document])
            if last - first < 2:
                skipped["documents of one sentence"] += 1
                continue
            places = np.append(store.place(first), store.ends[first:last])
            for begin, end in _chunks(places, content, short_fraction, rng):
                middle = int(rng.integers(begin + 1, end))
                file.write(np.array([first + begin, first + middle, first + end, document], np.int64).tobytes())
                surplus = int(places[end] - places[begin]) - content
                skipped["tokens cut off pairs that are too long"] += max(0, surplus)
    (folder / "skipped.json").write_text(json.dumps(skipped))


def _chunks(places: np.ndarray, content: int, short_fraction: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Runs of at least two sentences of a document that fit into a pair, where two do.

    Args:
        places: (sentences + 1,), where each sentence begins, and the last one ends.
        content: tokens in a pair at most.
        short_fraction: share of the pairs that are shorter.
        rng: draws which.
    """
    chunks: list[tuple[int, int]] = []
    begin, last = 0, len(places) - 1
    while last - begin >= 2:
        target = int(rng.integers(2, content + 1)) if rng.random() < short_fraction else content
        fitting = int(np.searchsorted(places, places[begin] + target, side="right")) - 1
        chunks.append((begin, max(begin + 2, fitting)))
        begin = chunks[-1][1]
    if begin < last:  # one sentence is left: it takes the one before it along, or joins a pair that cannot spare one
        before = chunks[-1][0]
        chunks[-1:] = [(before, last)] if begin - before < 3 else [(before, begin - 1), (begin - 1, last)]
    return chunks


class Pairs:
    """Pairs of segments, as batches.

    Args:
        store: the sentences.
        folder: with the `pairs.bin` of `gather_pairs`.
        content: tokens in both segments at most.
        seed: of the segments of other documents.
    """

    def __init__(self, store: Sentences, folder: Path, content: int, seed: int) -> None:
        self.store, self.folder, self.content, self.seed = store, folder, content, seed

    @cached_property
    def table(self) -> np.ndarray:
        """(pairs, 4): the first sentence of both segments, the one after the last, and the document."""
        return mapped(self.folder / "pairs.bin", np.dtype(np.int64)).reshape(-1, 4)

    def __getstate__(self) -> dict[str, Any]:
        # A mapped array would be pickled as a copy of its content.
        return {key: value for key, value in self.__dict__.items() if key != "table"}

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        first, second, other, documents, others = [], [], [], [], []
        for index in indices:
            begin, middle, end, document = self.table[index].tolist()
            a, b = _fit(self.store.tokens(begin, middle), self.store.tokens(middle, end), self.content)
            stranger, c = self._other(index, document, len(a), len(b))
            first.append(a)
            second.append(b)
            other.append(c)
            documents.append(document)
            others.append(stranger)
        return {
            "segment_a": _padded(first),
            "segment_b": _padded(second),
            "segment_other": _padded(other),
            "document": torch.tensor(documents),
            "other_document": torch.tensor(others),
        }

    def _other(self, index: int, document: int, used: int, wanted: int) -> tuple[int, np.ndarray]:
        """A segment of another document: of whole sentences, as near to the wanted length as they come."""
        rng = np.random.default_rng([self.seed, OTHER_SEGMENT, index])
        while True:
            _, begin, end, stranger = self.table[rng.integers(len(self.table))].tolist()
            if stranger != document:
                break
        last = int(self.store.documents[stranger])
        end = begin + 1
        size = len(self.store[begin])
        while end < last:
            more = len(self.store[end])
            if size + more > self.content - used or size + more - wanted > wanted - size:
                break
            size += more
            end += 1
        return stranger, self.store.tokens(begin, end)[: self.content - used]


def _fit(first: np.ndarray, second: np.ndarray, content: int) -> tuple[np.ndarray, np.ndarray]:
    """Two segments that together are not too long: what is cut off are their outer ends, of the longer one first."""
    if len(first) + len(second) > content:
        kept = min(len(first), max(content - len(second), content // 2))
        first, second = first[len(first) - kept :], second[: content - kept]
    return first, second


def _padded(rows: list[np.ndarray]) -> Tensor:
    out = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return torch.from_numpy(out)
