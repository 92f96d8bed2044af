"""Packs: whole documents laid end to end, without padding, none lost."""

from __future__ import annotations

from array import array
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...storage.cache import TokenStore, cached
from ...text.progress import Bar
from ...text.tokenizer import block_frame, separator_id
from .whole_batches import WholeBatches

CHUNK = 1_000_000
"""Documents are divided into packs so many at a time: memory stays bounded."""


class Packs(WholeBatches):
    """Packs of whole documents, up to a number of tokens each, as batches in one row.

    A document that is longer than a pack comes in pieces. Documents keep their order; packs are what is shuffled.

    Args:
        store: documents, each ending with the separator if the tokenizer has one.
        tokenizer: knows the special tokens around a text.
        block_size: the most tokens in a pack, special tokens included.
        frame: whether each document gets the special tokens that the tokenizer puts around a text; they then take the
            place of the separator.
        word_ids: whether batches number the words.
        cache_dir: where to keep which documents are in which pack.
    """

    def __init__(
        self,
        store: TokenStore,
        tokenizer: Any,
        block_size: int,
        frame: bool = True,
        word_ids: bool = False,
        cache_dir: str = "",
    ) -> None:
        self.store = store
        self.prefix, self.suffix, self.content = block_frame(tokenizer, block_size, frame)
        self.block_size = block_size
        self.separated = bool(self.suffix) and separator_id(tokenizer) is not None
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        self.with_words = word_ids
        key = [*store.key, block_size, self.content, self.separated]
        self.folder = cached(cache_dir, "packs", key, lambda folder: np.save(folder / "packs.npy", self._divide()))

    @cached_property
    def bounds(self) -> np.ndarray:
        """(packs + 1, 2): the document that a pack begins with, and how much of it came before."""
        bounds: np.ndarray = np.load(self.folder / "packs.npy", mmap_mode="r")
        return bounds

    def _divide(self) -> np.ndarray:
        """Fill packs in order, each until the next piece has no room."""
        count = len(self.store)
        frame = self.block_size - self.content
        packs = array("q", (0, 0))  # flat: there may be a hundred million
        with Bar(f"packing {self.store.name}", count, "documents") as bar:
            self._fill(packs, count, frame, bar)
        return np.frombuffer(packs, np.int64).reshape(-1, 2)

    def _fill(self, packs: array[int], count: int, frame: int, bar: Bar) -> None:
        while packs[-2] < count:
            document, offset = packs[-2:]
            bar.advance(document - bar.done)
            pieces = self._pieces(document, min(count, document + CHUNK), offset)
            filled = np.concatenate(([0], np.cumsum(pieces[:, 2] - pieces[:, 1] + frame)))
            last = [*pieces[:, :2].tolist(), [min(count, document + CHUNK), 0]]
            first = 0
            while first < len(pieces):
                end = int(np.searchsorted(filled, filled[first] + self.block_size, side="right")) - 1
                if end == len(pieces) and last[-1][0] < count and first:
                    break  # there may be room for what comes in the next chunk
                packs.extend(last[end])
                first = end
            if not len(pieces):  # documents without a token belong to no pack
                packs[-2:] = array("q", (last[-1][0], 0))

    def _pieces(self, first: int, last: int, offset: int) -> np.ndarray:
        """Return (pieces, 3): the document, and where in it each piece begins and ends."""
        ends = np.asarray(self.store.ends[first:last], np.int64)
        lengths = np.diff(ends, prepend=self.store.place(first)) - self.separated
        before = np.zeros_like(lengths)
        before[:1] = offset
        parts = np.maximum(0, -(-(lengths - before) // self.content))
        document = np.repeat(np.arange(first, last), parts)
        number = np.arange(len(document)) - np.repeat(np.cumsum(parts) - parts, parts)
        begin = np.repeat(before, parts) + number * self.content
        return np.stack((document, begin, np.minimum(begin + self.content, np.repeat(lengths, parts))), axis=1)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def _content(self, index: int) -> list[tuple[int, int]]:
        """Return where in the stream each piece of a pack begins and ends."""
        (first, offset), (last, until) = self.bounds[index].tolist(), self.bounds[index + 1].tolist()
        places = []
        for document, begin, end in self._pieces(first, min(last + 1, len(self.store)), offset).tolist():
            if document < last or begin < until:
                places.append((self.store.place(document) + begin, self.store.place(document) + end))
        return places

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        pieces = np.array([piece for index in indices for piece in self._content(index)], np.int64).reshape(-1, 2)
        sizes = pieces[:, 1] - pieces[:, 0] + self.block_size - self.content
        ends = np.cumsum(sizes)
        ids = np.empty(ends[-1], np.int64)
        words = np.full_like(ids, -1)
        for (begin, stop), end, size in zip(pieces, ends, sizes, strict=True):
            content = slice(end - size + len(self.prefix), end - len(self.suffix))
            ids[end - size : content.start] = self.prefix
            ids[content] = self.store.ids[begin:stop]
            ids[content.stop : end] = self.suffix
            if self.with_words:
                words[content] = np.cumsum(self.store.starts[begin:stop])
        batch = {"input_ids": torch.from_numpy(ids).unsqueeze(0), **pack_places(sizes)}
        if self.with_types:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        if self.with_words:
            batch["word_ids"] = torch.from_numpy(words).unsqueeze(0)
        return batch

    def __getstate__(self) -> dict[str, Any]:
        # A mapped array would be pickled as a copy of its content.
        return {key: value for key, value in self.__dict__.items() if key != "bounds"}


def pack_places(sizes: np.ndarray) -> dict[str, Tensor]:
    """Return where documents that lie end to end begin, and where in its document each token stands.

    Args:
        sizes: (documents,), tokens of each, int64.

    Returns:
        `position_ids` (1, tokens) int64 and `cu_seq_lens` (documents + 1,) int32.
    """
    ends = np.cumsum(sizes)
    positions = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    return {
        "position_ids": torch.from_numpy(positions).unsqueeze(0),
        "cu_seq_lens": torch.from_numpy(np.concatenate(([0], ends)).astype(np.int32)),
    }
