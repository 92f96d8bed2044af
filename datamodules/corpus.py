"""Raw text for every pretraining objective: documents, tokenized once, in blocks or packs, without loss."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..contracts import CAPACITY, ModuleFacts, module_facts
from ..errors import InputError
from ..storage.cache import cached, digest
from ..text import words as word_lists
from ..text.cleaning import Cleaning
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.progress import progress
from ..text.selection.options import Selection
from ..text.train_tokenizer import TrainTokenizer
from .batching.mixture import Mixture
from .batching.staged_plan import PlannedStage
from .corpus_source import CorpusSource, mix_sources
from .example_form import ExampleForm
from .prepared.corpus import PreparedCorpus
from .prepared.options import PreparedCorpora
from .prompted import PromptedDataModule
from .selection.documents import SplitDocuments
from .sources import Documents, Files, MixedSource, Source, make_source
from .stages import Stage, planned_stages
from .token_stream import document_tokenizing, say_counts, write_token_stream
from .tokenized_corpus import TokenizedCorpus


class CorpusDataModule(PromptedDataModule):
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
        predict_files: the same; each document, and each row of a table, is a prompt to continue or a
            text with masks to fill.
        predict_texts: the same, in place of files.
        dataset: a Hugging Face Hub id or a local folder of that shape instead of files; `installed_docs` is the
            documentation on this machine.
        subset: the data set's configuration name.
        sources: a mixture to train on instead, such as `[{files: a.txt, weight: 3}, {files: b.txt, weight: 1}]`.
        stages: of training, in place of epochs: parts with block sizes, batch sizes, weights and rates of their own.
        prepared: what `prepare` has tokenized, by path or URL, instead of files; its tokenizer comes with it.
        shuffle_window: shards of a prepared corpus whose blocks are mixed in training; 0 mixes all of them, null: 8
            behind a URL, and all on a disk.
        cache_limit: gigabytes that shards from behind a URL may take of the cache; null knows no limit.
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
        selection: which of the others to train on, of each corpus: like a target, of every kind, or any; and none that
            holds a part of a test set. What is held out stays whole.
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
        stages: list[Stage] | None = None,
        prepared: str | None = None,
        shuffle_window: int | None = None,
        cache_limit: float | None = None,
        validation_fraction: float = 0.05,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None = None,
        block_size: int = 128,
        packing: bool = False,
        eval_stride: int | None = None,
        special_tokens: bool | None = None,
        word_ids: bool | None = None,
        words: Callable[[str], list[str]] | str | None = None,  # in this order: an import path is a text too
        cleaning: Cleaning | None = None,
        selection: Selection | None = None,
        documents: Documents = "line",
        text_column: str = "text",
        encoding: str = "utf-8",
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(validation_fraction, cleaning, tokenizer, batch_size, num_workers, cache_dir, seed)
        if packing and eval_stride is not None:
            raise InputError(
                "data.packing and data.eval_stride exclude each other, as packed documents do not overlap: set "
                "data.eval_stride: null."
            )
        if isinstance(words, str) and not os.path.isfile(words):
            raise InputError(f"data.words: {words} is neither a word list that is there nor a function's import path.")
        files = {"validation": validation_files, "test": test_files, "predict": predict_files}
        reading: dict[str, Any] = {"encoding": encoding, "documents_are": documents, "text_column": text_column}
        self.prepared = PreparedCorpora(self.cache_dir, cache_limit, shuffle_window)
        self.weights = [1.0]
        self.source: Source
        if sources or prepared:
            if train_files or dataset or (sources and prepared):
                raise InputError(
                    f"data.{'sources' if sources else 'prepared'} excludes data.train_files, data.dataset and "
                    f"data.{'prepared' if sources else 'sources'}: leave one of them out."
                )
            mixed = sources or [CorpusSource(prepared=prepared)]
            rest = Files(files, **reading)
            self.source, self.weights = mix_sources(mixed, rest, self.cache_dir, self.prepared.corpus)
            self.prepared.refuse_settled(cleaning=cleaning, words=words)
            self.prepared.refuse_selection(selection)
        else:
            self.source = make_source({"train": train_files, **files}, dataset, subset, self.cache_dir, **reading)
        self.selection = selection
        self.prompts = Files({"predict": predict_files}, **reading)
        self.predict_texts = predict_texts
        self.block_size = block_size
        self.packing = packing
        self.stages = stages or []
        self.passes = 1 if stages else None
        self.planned_stages()
        self.eval_stride = eval_stride
        self.special_tokens = special_tokens
        self.word_ids = word_ids
        self.words = words
        self.counts: dict[str, dict[str, int]] = {}
        """Of each split its `documents`, `tokens`, `words`, `bytes` and `unknown` tokens, once it is set up."""
        self.notes: dict[str, list[str]] = {}

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
        """Take over the form of texts, too."""
        self.special_tokens = module.frames_text if self.special_tokens is None else self.special_tokens
        self.word_ids = module.needs_word_ids if self.word_ids is None else self.word_ids
        super().serve(module)

    @cached_property
    def segmenter(self) -> Callable[[str], list[str]] | None:
        """What finds words where no spaces do."""
        return word_lists.make_segmenter(self.words)

    def training_texts(self) -> Iterator[str]:
        """Return the training documents; near duplicates, which take long to find, are left in."""
        skipped: Counter[str] = Counter()
        documents = self.source.documents("train", skipped)
        if self.cleaning is not None:
            documents = replace(self.cleaning, near_duplicates=None).clean(documents, skipped)
        return progress(documents, "reading for the tokenizer")

    def training_key(self) -> Any:
        """Return what a cache key must hold of those texts."""
        key = self.source.key("train")
        return key if self.cleaning is None else [key, replace(self.cleaning, near_duplicates=None).key()]

    def own_tokenizer(self) -> Any:
        """Return the tokenizer of what is prepared."""
        return self.prepared.load_tokenizer(self.tokenizer_spec) if self.prepared.all else None

    def _find_tokenizer(self) -> Any:
        return self.own_tokenizer() or super()._find_tokenizer()

    # ------------------------------------------------------------------ preparing

    def find_sources(self) -> None:
        """Look for the files of the selection, too."""
        super().find_sources()
        if self.selection is not None and "train" in self.prepared_splits():
            self.selection.find_files()

    def _corpora(self, split: str) -> list[Any]:
        return [*self.source.parts] if isinstance(self.source, MixedSource) and split == "train" else [self.source]

    def tokenize_split(self, split: str) -> None:
        """Tokenize each corpus of a split, unless the cache has it."""
        for corpus in self._corpora(split):
            self._tokenized(corpus, split)

    def map_split(self, split: str) -> None:
        """Fill `self.datasets` with what was tokenized of a split, and of the part held out of it."""
        corpora = [(self._tokenized(source, split), source) for source in self._corpora(split)]
        for part in ("train", "validation") if self.holds_out(split) else (split,):
            having = [(c, s) for c, s in corpora if part == split or not isinstance(c, PreparedCorpus) or c.has(part)]
            if not having:  # prepared without a part to validate on
                continue
            self.contents[part] = digest([corpus.contents(part) for corpus, _ in having])
            form = self._form(part)
            datasets = [corpus.dataset(part, form) for corpus, _ in having]
            for dataset, (_, source) in zip(datasets, having, strict=True):
                if not len(dataset):
                    change = "lower" if part == "train" else "raise"
                    raise InputError(
                        f"The {part} part of {source.name(split)} is empty: {change} data.validation_fraction "
                        f"({self.validation_fraction}), set data.validation_files, or data.validation_fraction: 0."
                    )
            mixed = len(datasets) > 1
            self.datasets[part] = Mixture(datasets, self.weights[: len(datasets)]) if mixed else datasets[0]
            self.counts[part] = dict(sum((Counter(corpus.counts(part)) for corpus, _ in having), Counter()))
            self.notes[part] = [note for corpus, _ in having for note in corpus.notes(part)]
            skipped = sum((Counter(corpus.skipped(part)) for corpus, _ in having), Counter[str]())
            kind = "packs of at most" if self.packing else "blocks of"
            examples = f"{len(self.datasets[part]):,} {kind} {self.block_size} tokens"
            say_counts(part, self.counts[part], examples, skipped, self.notes[part], self.tokenizer)

    def planned_stages(self) -> Sequence[PlannedStage]:
        """Return the stages of training, in blocks."""
        return planned_stages(self.stages, self.block_size, self.batch_size, self.packing, self.weights)

    def _form(self, part: str) -> ExampleForm:
        stride = None if part == "train" or self.packing else self.eval_stride
        frames, words = self.frames, self.numbers_words
        return ExampleForm(self.tokenizer, self.block_size, self.packing, frames, stride, words, self.cache_dir)

    def hints(self, batch: Any) -> Any:
        """Add how many places a batch has, which come in one shape; texts to be continued do not."""
        hinted = super().hints(batch)
        if not isinstance(hinted, dict) or "index" in hinted or self.stages:
            return hinted
        return {**hinted, CAPACITY: self.batch_size * self.block_size}

    # ------------------------------------------------------------------ tokenizing

    def _tokenized(self, source: Source, split: str) -> TokenizedCorpus | PreparedCorpus:
        if isinstance(source, PreparedCorpus):
            return source
        words = [True, word_lists.key(self.words)] if self.numbers_words else None
        held_out, selection = self.held_out_key(split), self.selection if split == "train" else None
        key = [split, source.key(split), self.tokenizer_key(), held_out, words, self.cleaning_key()]
        if selection is not None:
            key.append(selection.key(self.cache_dir))
        fraction = self.validation_fraction if self.holds_out(split) else 0.0
        documents = SplitDocuments(source, split, self.cleaning, selection, fraction, self.seed, self.cache_dir)

        def write(folder: Path) -> None:
            segmenter = self.segmenter if self.numbers_words else None
            tokenizing = document_tokenizing(self.tokenizer, self.numbers_words, segmenter, self.seed)
            write_token_stream(folder, documents, tokenizing)

        return TokenizedCorpus(cached(self.cache_dir, "corpora", key, write))
