"""Pairs of consecutive segments out of documents, for objectives about sentences."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..errors import InputError, check_range
from ..storage import manifest
from ..storage.cache import TokenWriter, cached, digest
from ..text.cleaning import Cleaning, function_key
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.progress import progress
from ..text.sentences import split_sentences
from ..text.splitting import held_out_documents
from ..text.tokenizer import pair_frame
from ..text.tokenizing import SentenceTokenizing, Tokenizing
from ..text.train_tokenizer import TrainTokenizer
from .batching.gather_pairs import Sentences, gather_pairs
from .batching.segment_pairs import Pairs
from .documents import DocumentsDataModule
from .selection.documents import SplitDocuments
from .sources import Documents, make_source


class SentencePairDataModule(DocumentsDataModule):
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
        super().__init__(validation_fraction, cleaning, tokenizer, batch_size, num_workers, cache_dir, seed)
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
        self.max_length = max_length
        self.short_fraction = short_fraction
        self.splitter = splitter

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest input in tokens."""
        return self.max_length

    def training_texts(self) -> Iterator[str]:
        """Return the training documents."""
        return progress(self.source.documents("train", Counter()), "reading for the tokenizer")

    # ------------------------------------------------------------------ preparing

    def tokenize_split(self, split: str) -> None:
        """Tokenize the sentences of a split, unless the cache has it."""
        self._tokenized(split)

    def map_split(self, split: str) -> None:
        """Fill `self.datasets` with the pairs of a split, and of the part held out of it."""
        folder = self._tokenized(split)
        report = json.loads((folder / "report.json").read_text())
        content = self.max_length - len(pair_frame(self.tokenizer))
        if content < 2:
            raise InputError(f"data.max_length is {self.max_length}, which leaves no room for two segments.")
        store = Sentences(folder)
        is_held_out = np.load(folder / "held_out.npy")
        parts = {"train": ~is_held_out, "validation": is_held_out} if self.holds_out(split) else {split: ~is_held_out}
        for part, chosen in parts.items():
            key = [folder.name, part, content, self.short_fraction, self.seed]
            documents = np.flatnonzero(chosen)

            def make(into: Path, documents: np.ndarray = documents) -> None:
                gather_pairs(store, documents, content, self.short_fraction, self.seed, into)

            pairs_folder = cached(self.cache_dir, "pairs", key, make)
            self.contents[part] = digest([manifest.contents(folder), manifest.contents(pairs_folder)])
            pairs = Pairs(store, pairs_folder, content, self.seed)
            skipped = Counter(json.loads((pairs_folder / "skipped.json").read_text()))
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

    def _tokenized(self, split: str) -> Path:
        splitter, held_out = function_key(self.splitter), self.held_out_key(split)
        key = [split, self.source.key(split), self.tokenizer_key(), held_out, splitter, self.cleaning_key()]
        return cached(self.cache_dir, "sentences", key, lambda folder: self._tokenize(split, folder))

    def _tokenize(self, split: str, folder: Path) -> None:
        skipped: Counter[str] = Counter()
        writer = TokenWriter(folder, len(self.tokenizer))
        sizes, hashes = array("q"), array("Q")  # eight bytes for each document
        documents = SplitDocuments(self.source, split, self.cleaning).read(skipped)
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
        is_held_out = np.zeros(len(sizes), bool)
        if self.holds_out(split):
            table = np.frombuffer(hashes, np.uint64)
            is_held_out = held_out_documents(table, self.validation_fraction, self.source.name(split))
        np.save(folder / "held_out.npy", is_held_out)
        np.save(folder / "documents.npy", np.cumsum(sizes))
        (folder / "report.json").write_text(json.dumps({"skipped": dict(skipped)}))
