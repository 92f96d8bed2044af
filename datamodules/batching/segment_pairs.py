"""Pairs of segments that follow each other, and a segment of another document for each, as batches."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...contracts.random_streams import OTHER_SEGMENT
from ...storage.cache import mapped
from .gather_pairs import Sentences
from .padding import pad_rows
from .whole_batches import WholeBatches


class Pairs(WholeBatches):
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

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
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
            "segment_a": pad_rows(first, -1),
            "segment_b": pad_rows(second, -1),
            "segment_other": pad_rows(other, -1),
            "document": torch.tensor(documents),
            "other_document": torch.tensor(others),
        }

    def _other(self, index: int, document: int, used: int, wanted: int) -> tuple[int, np.ndarray]:
        """Return a segment of another document: of whole sentences, as near to the wanted length as they come."""
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
    """Return two segments that together are not too long; their outer ends are cut off, the longer one's first."""
    if len(first) + len(second) > content:
        kept = min(len(first), max(content - len(second), content // 2))
        first, second = first[len(first) - kept :], second[: content - kept]
    return first, second
