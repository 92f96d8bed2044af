"""What is prepared: the options of a `CorpusDataModule`, as processes elsewhere need them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...errors import InputError
from ...text import words as word_lists
from ...text.cleaning import Cleaning, function_name
from ..corpus import CorpusDataModule
from ..sources import Files, Hub, InstalledDocs, MixedSource

Part = Files | Hub | InstalledDocs
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Corpus:
    """The texts of a corpus, and what is done with each.

    Args:
        sources: of each split that there is, what it is read from, in order.
        fraction: share of the training documents that is held out; 0 where there is a validation part.
        seed: of the held-out part.
        cleaning: which documents are left out.
        word_starts: whether to tell with which tokens words begin.
        words: what finds words where no spaces do: a word list, or a function.
    """

    sources: dict[str, list[Part]]
    fraction: float
    seed: int
    cleaning: Cleaning
    word_starts: bool
    words: str | Callable[[str], list[str]] | None

    def names(self, split: str) -> list[str]:
        """Return the splits that the documents of one go to."""
        return ["train", "validation"] if split == "train" and self.fraction else [split]


def corpus_of(data: CorpusDataModule) -> Corpus:
    """Return what a datamodule would read.

    Args:
        data: with its options.

    Raises:
        InputError: if there is nothing to train on, or sources have weights, which shards do not.
    """
    if data.prepared.all:
        raise InputError("What data.prepared names is prepared already: set data.train_files, or data.dataset.")
    if not data.source.has("train"):
        raise InputError("There is nothing to prepare: set data.train_files, data.dataset or data.sources.")
    if data.selection is not None:
        raise InputError(
            "data.selection is not done by `prepare`, which would take all documents: leave it out, or train with "
            "`fit` on the files themselves."
        )
    if len(set(data.weights)) > 1:
        raise InputError(
            "data.sources have weights, for which a prepared corpus has no place: its sources come one after another. "
            "Prepare each of them into an output of its own, and mix those in training."
        )
    sources = {split: _parts(data, split) for split in SPLITS if data.source.has(split)}
    return Corpus(
        sources,
        data.validation_fraction if data.holds_out("train") else 0.0,
        data.seed,
        _anywhere(data.cleaning or Cleaning()),
        data.numbers_words,
        (os.path.abspath(data.words) if isinstance(data.words, str) else data.words) if data.numbers_words else None,
    )


def _anywhere(cleaning: Cleaning) -> Cleaning:
    """Return it with a place that another working folder does not change."""
    model = cleaning.language_model
    return replace(cleaning, language_model=None if model is None else os.path.abspath(model))


def _parts(data: CorpusDataModule, split: str) -> list[Part]:
    """Return the sources of a split, without what they have read so far."""
    source = data.source
    parts = (source.parts if split == "train" else [source.rest]) if isinstance(source, MixedSource) else [source]
    return [replace(part, _loaded=None) if isinstance(part, Hub) else part for part in parts]


def content_of(corpus: Corpus) -> Any:
    """Return what tells the texts, and what is done with them, from others: content, not places."""
    texts = {split: [_content(part, split) for part in parts] for split, parts in corpus.sources.items()}
    known = word_lists.key(corpus.words)
    words = [corpus.word_starts, known[0][1:] if isinstance(corpus.words, str) else known]
    return [texts, corpus.fraction, corpus.seed, corpus.cleaning.key(), words]


def _content(part: Part, split: str) -> Any:
    if not isinstance(part, Files):
        return part.key(split)
    content, *reading = part.key(split)
    return [[[path.rpartition("/")[2], *known] for path, *known in content], *reading]


def options_of(data: CorpusDataModule, corpus: Corpus, tokenizer: Any) -> dict[str, Any]:
    """Return the options as plain data, for people and for comparing.

    Args:
        data: with its options.
        corpus: what it would read.
        tokenizer: its option.
    """
    cleaning: dict[str, Any] = asdict(replace(data.cleaning or Cleaning(), filter=None))
    cleaning["filter"] = None if corpus.cleaning.filter is None else function_name(corpus.cleaning.filter)
    words = data.words if data.words is None or isinstance(data.words, str) else function_name(data.words)
    return {
        "sources": {split: [_described(part, split) for part in parts] for split, parts in corpus.sources.items()},
        "validation_fraction": corpus.fraction,
        "seed": corpus.seed,
        "tokenizer": tokenizer if tokenizer is None or isinstance(tokenizer, str) else asdict(tokenizer),
        "word_ids": corpus.word_starts,
        "words": words if corpus.word_starts else None,
        "cleaning": cleaning,
    }


def _described(part: Part, split: str) -> dict[str, Any]:
    if isinstance(part, Hub):
        return {"dataset": part.dataset, "subset": part.subset, "text_column": part.text_column}
    if isinstance(part, InstalledDocs):
        return {"dataset": "installed_docs", "subset": part.subset}
    return {
        "files": part.patterns.get(split),
        "documents": part.documents_are,
        "text_column": part.text_column,
        "encoding": part.encoding,
    }
