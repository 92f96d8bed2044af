"""Sentences of documents gathered into pairs of segments."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np

from ...contracts.random_streams import SEGMENT_LENGTHS
from ...storage.cache import TokenStore


class Sentences(TokenStore):
    """Sentences on disk, and the documents that they make up."""

    @cached_property
    def documents(self) -> np.ndarray:
        """(documents,): the number of sentences up to the end of each document."""
        documents: np.ndarray = np.load(self.folder / "documents.npy", mmap_mode="r")
        return documents

    def tokens(self, first: int, last: int) -> np.ndarray:
        """Return the tokens of the sentences from `first` up to, not including, `last`."""
        return self.ids[self.place(first) : self.place(last)]


def gather_pairs(
    store: Sentences, documents: np.ndarray, content: int, short_fraction: float, seed: int, folder: Path
) -> None:
    """Divide documents into pairs of segments, and write `pairs.bin` and `skipped.json`.

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
    """Return runs of at least two sentences of a document that fit into a pair, where two do.

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
