"""What texts are compared by: words, or characters where words are not divided by spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from xxhash import xxh3_64_intdigest

from ..cjk import ALL_CJK

WORDS = re.compile(rf"[{ALL_CJK}]|[^\W{ALL_CJK}]+")
"""A Chinese or Japanese character, or a word."""
WORDS_AND_SIGNS = re.compile(rf"{WORDS.pattern}|(?:(?![{ALL_CJK}])[^\w\s])+")
"""Also signs between words, as one unit where several stand together."""
MIX = np.uint64(0x9E3779B97F4A7C15)


def folded(text: str) -> str:
    """Return a text without what is not compared: case, and forms of one character (NFKC, as in full-width signs)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def codes(texts: Sequence[str], unit: re.Pattern[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the units of texts as numbers.

    Args:
        texts: any.
        unit: matches one.

    Returns:
        (units,) uint64, of all texts, one after the other; and (texts,) int64, how many units each has.
    """
    found = [unit.findall(folded(text)) for text in texts]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    return np.fromiter(map(_code, chain.from_iterable(found)), np.uint64, int(lengths.sum())), lengths


def ngrams(numbers: np.ndarray, size: int) -> np.ndarray:
    """Return a hash of each run of units.

    Args:
        numbers: (units,) uint64.
        size: units in a run.

    Returns:
        (units - size + 1,) uint64; none where there are fewer units.
    """
    count = max(0, len(numbers) - size + 1)
    hashes = np.zeros(count, np.uint64)
    for place in range(size):  # one pass for each place in the run, over all runs at once
        hashes = (hashes ^ numbers[place : place + count]) * MIX
        hashes ^= hashes >> np.uint64(32)
    return hashes


def buckets(texts: Sequence[str], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashed words and pairs of words of texts (uni- and bigrams; signs between words count as words).

    Args:
        texts: any.
        count: of buckets.

    Returns:
        (n,) int64, the bucket of each; and (n,) int64, the number of the text that it is of. A text without a word has
        none.
    """
    numbers, lengths = codes(texts, WORDS_AND_SIGNS)
    owners = np.repeat(np.arange(len(texts)), lengths)
    within = owners[1:] == owners[:-1]  # no pair of words of two texts
    hashes = np.concatenate([ngrams(numbers, 1), ngrams(numbers, 2)[within]])
    return (hashes % np.uint64(count)).astype(np.int64), np.concatenate([owners, owners[1:][within]])


def words_at(text: str, first: int, count: int) -> str:
    """Return the stretch of a text, folded, that holds some of its words.

    Args:
        text: any.
        first: the first word, counted from 0.
        count: words.
    """
    whole = folded(text)
    matches = [match for _, match in zip(range(first + count), WORDS.finditer(whole), strict=False)]
    return whole[matches[first].start() : matches[-1].end()]


def each(texts: Iterator[str], count: int) -> Iterator[list[str]]:
    """Yield texts in lists of so many."""
    while batch := [text for _, text in zip(range(count), texts, strict=False)]:
        yield batch


@lru_cache(1 << 18)
def _code(unit: str) -> int:
    return xxh3_64_intdigest(unit.encode("utf-8", "surrogatepass"))
