"""From texts to token ids, and where words begin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..errors import InputError
from .cjk import CJK_CHARACTER
from .words import Segmenter, boundaries

BATCH_CHARACTERS = 1_000_000
"""Texts are tokenized in batches of about this size: all cores are busy, memory stays bounded."""


def text_batch(texts: Iterator[str]) -> list[str]:
    """Return the next texts, up to `BATCH_CHARACTERS` or a little more; none at the end."""
    batch: list[str] = []
    size = 0
    for text in islice(texts, 10_000):
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            break
    return batch


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Return token ids without special tokens, on all cores."""
    backend = backend_of(tokenizer)
    if backend is None:
        return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]


def encode_words(
    tokenizer: Any, texts: list[str], segmenter: Segmenter | None = None
) -> tuple[list[list[int]], list[np.ndarray]]:
    """Return token ids without special tokens, and of each token whether a word begins with it.

    A word begins where the tokenizer's own word ids say so, or after white space (some tokenizers take a whole text
    for one word). With a segmenter, a Chinese or Japanese character begins a word only where one of the
    segmenter's does.

    Args:
        tokenizer: a fast one.
        texts: of any length.
        segmenter: takes a text to its words.

    Raises:
        InputError: if the tokenizer is not a fast one.
    """
    backend = backend_of(tokenizer)
    if backend is None:
        raise InputError("Whole words can be told apart only with a fast tokenizer (one with a tokenizer.json).")
    ids, starts = [], []
    for text, encoding in zip(texts, backend.encode_batch(texts, add_special_tokens=False), strict=True):
        words = np.array([-1 if w is None else w for w in encoding.word_ids], np.int64)
        begins, ends = np.array(encoding.offsets, np.int64).reshape(-1, 2).T
        flags = np.diff(words, prepend=-2) != 0
        space = np.fromiter((c.isspace() for c in text), bool, len(text))
        if len(begins):
            inside = begins.clip(max=max(0, len(text) - 1))
            new = np.diff(begins, prepend=-1) != 0  # not a further byte of the same character
            after = np.append(True, space)[begins]  # the character before is white space, or there is none
            blank = _first_character(space, begins) >= ends  # white space only: the word began there
            flags |= (space[inside] | (after & ~np.append(False, blank[:-1]))) & new
            if segmenter is not None:
                first = _first_character(space, begins)
                ideographs = np.zeros(len(text) + 1, bool)
                ideographs[[match.start() for match in CJK_CHARACTER.finditer(text)]] = True
                flags &= boundaries(segmenter, text)[first] | ~ideographs[first]
            flags[0] = True
        ids.append(encoding.ids)
        starts.append(flags)
    return ids, starts


def _first_character(space: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Return where a token's first character stands that is not white space."""
    places = np.where(space, len(space), np.arange(len(space)))
    following = np.minimum.accumulate(np.append(places, len(space))[::-1])[::-1]
    first: np.ndarray = following[begins]
    return first


def backend_of(tokenizer: Any) -> Any:
    """Return what a fast tokenizer is of the package `tokenizers`, without truncation; None for a slow one."""
    backend = tokenizer if hasattr(tokenizer, "encode_batch_fast") else getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()  # which an earlier call may have left on
        backend.no_padding()
    return backend


def count_words(text: str) -> int:
    """Return the number of words between white space; in Chinese and Japanese, every character is one."""
    if text.isascii():
        return len(text.split())
    return len(CJK_CHARACTER.findall(text)) + len(CJK_CHARACTER.sub(" ", text).split())
