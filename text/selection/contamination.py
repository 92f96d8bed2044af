"""Documents that share a run of words with a test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .units import WORDS, codes, each, ngrams, words_at

TEXTS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Hit:
    """What a document shares with a test set.

    Args:
        file: of the test set, by its place among all.
        words: that both hold, in lower case.
    """

    file: int
    words: str


@dataclass(frozen=True)
class Forbidden:
    """The runs of words that no document may hold.

    Args:
        hashes: (runs,) uint64, ascending, each once.
        files: (runs,) int32, the file that each is of, by its place.
        size: words in a run; characters, where words are not divided by spaces.
        short: texts with fewer words, which are not looked for: documents hold those by chance.
    """

    hashes: np.ndarray
    files: np.ndarray
    size: int
    short: int

    def hits(self, texts: Sequence[str]) -> dict[int, Hit]:
        """Return what texts share with the test sets, by the place of the text; the first run of each."""
        found: dict[int, Hit] = {}
        if not len(self.hashes):
            return found
        numbers, lengths = codes(texts, WORDS)
        runs = ngrams(numbers, self.size)
        places = np.searchsorted(self.hashes, runs).clip(max=len(self.hashes) - 1)
        begins = np.cumsum(lengths) - lengths
        for run in np.flatnonzero(self.hashes[places] == runs).tolist():
            text = int(np.searchsorted(begins, run, side="right")) - 1
            first = run - int(begins[text])
            if text not in found and first + self.size <= lengths[text]:  # not across two texts
                found[text] = Hit(int(self.files[places[run]]), words_at(texts[text], first, self.size))
        return found


def forbid(files: Sequence[Iterator[str]], size: int) -> Forbidden:
    """Return the runs of words of test sets.

    Args:
        files: the texts of each.
        size: words in a run.
    """
    hashes, numbers, short = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)], 0
    for number, texts in enumerate(files):
        for batch in each(texts, TEXTS_AT_ONCE):
            found, lengths = codes(batch, WORDS)
            short += int((lengths < size).sum())
            ends = np.cumsum(lengths)
            runs = [ngrams(found[end - length : end], size) for end, length in zip(ends, lengths, strict=True)]
            hashes.append(np.unique(np.concatenate(runs)))
            numbers.append(np.full(len(hashes[-1]), number, np.int32))
    once, first = np.unique(np.concatenate(hashes), return_index=True)
    return Forbidden(once, np.concatenate(numbers)[first], size, short)
