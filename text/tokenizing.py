"""From documents to tokens, in batches, on all cores: what the cache of a corpus is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np

from .cjk import CJK_CHARACTER
from .encoding import backend_of, count_words, encode, encode_words, text_batch
from .processes import in_order
from .splitting import document_hash, hash_salt
from .word_cache import WordCache, division
from .words import Segmenter

FACTS = np.dtype(
    [("hash", np.uint64), ("tokens", np.int64), ("words", np.int64), ("bytes", np.int64), ("unknown", np.int64)]
)


@dataclass
class Tokens:
    """A batch of documents.

    Args:
        ids: (tokens,), of all documents, one after the other.
        starts: (tokens,), bool, whether a word begins with a token; None where nobody asked.
        facts: (documents,), of the type `FACTS`; `tokens` are their lengths.
    """

    ids: np.ndarray
    starts: np.ndarray | None
    facts: np.ndarray


@dataclass
class Tokenizing:
    """Takes documents to tokens. Another process can do it as well: it pickles, and is the same there.

    Args:
        tokenizer: any; only fast ones are pickled, and as what lies behind them.
        end: ids that follow each document.
        unknown: the id that stands for what the tokenizer does not know.
        word_starts: whether to tell with which tokens words begin.
        segmenter: finds words where no spaces do.
        seed: of the documents' hashes.
    """

    tokenizer: Any
    end: list[int]
    unknown: int | None
    word_starts: bool
    segmenter: Segmenter | None
    seed: int

    @cached_property
    def words(self) -> WordCache | None:
        """Tokens of words met before, where they depend on nothing else; `PRETUNE_WORD_CACHE=0` does without."""
        backend = backend_of(self.tokenizer)
        if backend is None or self.segmenter is not None or os.environ.get("PRETUNE_WORD_CACHE") == "0":
            return None
        cut = division(backend)
        return None if cut is None else WordCache(backend, cut, self.end, self.word_starts)

    def over(self, documents: Iterator[str]) -> Generator[Tokens]:
        """Tokenize documents in their order; many of them in several processes."""
        return in_order(self, iter(lambda: text_batch(documents), []), backend_of(self.tokenizer) is not None)

    def __call__(self, texts: list[str]) -> Tokens:
        """Tokenize a batch."""
        ids, lengths, starts, counts = self.encode(texts)
        table = np.zeros(len(texts), FACTS)
        table["tokens"] = lengths
        if self.unknown is not None:
            seen = np.append(0, np.cumsum(ids == self.unknown))
            table["unknown"] = np.diff(seen[np.cumsum(lengths)], prepend=0)
        salt, hashes, words, sizes = hash_salt(self.seed), [], [], []
        for text, count in zip(texts, counts, strict=True):
            data = text.encode()
            sizes.append(len(data))
            hashes.append(blake2b(data, digest_size=8, salt=salt).digest())
            # The number of pieces is that of words, but where characters are words of their own.
            plain = count is not None and (len(data) == len(text) or not CJK_CHARACTER.search(text))
            words.append(count if plain else count_words(text))
        table["hash"] = np.frombuffer(b"".join(hashes), "<u8")
        table["words"], table["bytes"] = words, sizes
        return Tokens(ids, starts, table)

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, list[int | None]]:
        """Encode as `WordCache.encode` does; where there is none, by the tokenizer itself, text by text."""
        if self.words is not None:
            return self.words.encode(texts)
        starts: np.ndarray | None = None
        if self.word_starts:
            ids, flags = encode_words(self.tokenizer, texts, self.segmenter)
            end = np.ones(len(self.end), bool)
            starts = np.concatenate([part for row in flags for part in (row, end)])
        else:
            ids = encode(self.tokenizer, texts)
        lengths = np.fromiter(map(len, ids), np.int64, len(ids)) + len(self.end)
        flat = chain.from_iterable(chain.from_iterable((row, self.end) for row in ids))
        return np.fromiter(flat, np.uint32, int(lengths.sum())), lengths, starts, [None] * len(texts)

    def __getstate__(self) -> dict[str, Any]:
        backend = backend_of(self.tokenizer)
        kept = {} if backend is None else {"encode_special_tokens": backend.encode_special_tokens}
        return {"fields": {**self.__dict__, "tokenizer": backend}, **kept}  # with the words that were met so far

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state.pop("fields"))
        for name, value in state.items():  # what a pickled tokenizer forgets
            setattr(self.tokenizer, name, value)


@dataclass
class SentenceTokens:
    """A batch of documents, divided into sentences.

    Args:
        ids: (tokens,), of all sentences, one after the other.
        lengths: (sentences,), int64; none is 0.
        sizes: (documents,), int64, the number of sentences of each document; none is 0.
        hashes: (documents,), uint64, from `document_hash`.
        empty: documents without a token, which the others are without.
    """

    ids: np.ndarray
    lengths: np.ndarray
    sizes: np.ndarray
    hashes: np.ndarray
    empty: int


@dataclass
class SentenceTokenizing:
    """Takes documents to the tokens of their sentences.

    Args:
        tokenizing: of sentences, with nothing at the end.
        splitter: takes a text to its sentences.
    """

    tokenizing: Tokenizing
    splitter: Callable[[str], list[str]]

    def over(self, documents: Iterator[str]) -> Generator[SentenceTokens]:
        """Tokenize documents in their order; many of them in several processes."""
        fast = backend_of(self.tokenizing.tokenizer) is not None
        return in_order(self, iter(lambda: text_batch(documents), []), fast)

    def __call__(self, texts: list[str]) -> SentenceTokens:
        """Tokenize a batch."""
        divided = [self.splitter(text) for text in texts]
        ids, lengths, _, _ = self.tokenizing.encode([sentence for sentences in divided for sentence in sentences])
        full = np.append(0, np.cumsum(lengths > 0))
        sizes = np.diff(full[np.cumsum([len(sentences) for sentences in divided])], prepend=0)
        kept = np.flatnonzero(sizes).tolist()
        hashes = np.array([document_hash(texts[row], self.tokenizing.seed) for row in kept], np.uint64)
        return SentenceTokens(ids, lengths[lengths > 0], sizes[sizes > 0], hashes, len(texts) - len(kept))


def sums(facts: np.ndarray) -> dict[str, int]:
    """Return how many documents, tokens, words, bytes and unknown tokens there are in all."""
    return {"documents": len(facts), **{name: int(facts[name].sum()) for name in FACTS.names[1:]}}  # type: ignore[index]
