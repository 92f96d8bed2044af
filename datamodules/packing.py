"""Packs: whole documents laid end to end, without padding, none lost."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..tokenization import separator_id, special_frame
from .cache import TokenStore


class Packs:
    """Packs of whole documents, up to a number of tokens each, as batches in one row.

    A document that is longer than a pack comes in pieces. Documents keep their order within a pack; packs are what is
    shuffled.

    Args:
        store: documents, each ending with the separator if the tokenizer has one.
        tokenizer: knows the special tokens around a text.
        block_size: the most tokens in a pack, special tokens included.
        frame: whether each document gets the special tokens that the tokenizer puts around a text; they then take the
            place of the separator.
        word_ids: whether batches number the words.
    """

    def __init__(
        self, store: TokenStore, tokenizer: Any, block_size: int, frame: bool = True, word_ids: bool = False
    ) -> None:
        self.store = store
        self.prefix, self.suffix = special_frame(tokenizer) if frame else ([], [])
        self.content = block_size - len(self.prefix) - len(self.suffix)
        if self.content < 1:
            raise InputError(f"data.block_size is {block_size}, which the special tokens alone fill.")
        self.block_size = block_size
        self.separated = bool(self.suffix) and separator_id(tokenizer) is not None
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        self.with_words = word_ids

    @cached_property
    def pieces(self) -> np.ndarray:
        """(pieces, 2): where in the stream each document, or part of one, begins and ends."""
        ends = np.asarray(self.store.ends, np.int64)
        begins = np.concatenate(([0], ends[:-1]))
        ends = ends - self.separated
        parts = np.maximum(0, -(-(ends - begins) // self.content))
        first = np.repeat(np.cumsum(parts) - parts, parts)
        start = np.repeat(begins, parts) + (np.arange(parts.sum()) - first) * self.content
        return np.stack((start, np.minimum(start + self.content, np.repeat(ends, parts))), axis=1)

    @cached_property
    def packs(self) -> np.ndarray:
        """(packs + 1,): the first piece of each pack, filled in order until the next piece has no room."""
        sizes = self.pieces[:, 1] - self.pieces[:, 0] + len(self.prefix) + len(self.suffix)
        filled = np.concatenate(([0], np.cumsum(sizes)))
        first = [0]
        while first[-1] < len(sizes):
            first.append(int(np.searchsorted(filled, filled[first[-1]] + self.block_size, side="right")) - 1)
        return np.array(first)

    def __len__(self) -> int:
        return len(self.packs) - 1

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        frame = len(self.prefix) + len(self.suffix)
        pieces = np.concatenate([np.arange(self.packs[i], self.packs[i + 1]) for i in indices])
        bounds = self.pieces[pieces]
        sizes = bounds[:, 1] - bounds[:, 0] + frame
        ends = np.cumsum(sizes)
        ids = np.empty(ends[-1], np.int64)
        words = np.full_like(ids, -1)
        for (begin, stop), end, size in zip(bounds, ends, sizes, strict=True):
            content = slice(end - size + len(self.prefix), end - len(self.suffix))
            ids[end - size : content.start] = self.prefix
            ids[content] = self.store.ids[begin:stop]
            ids[content.stop : end] = self.suffix
            if self.with_words:
                words[content] = np.cumsum(self.store.starts[begin:stop])
        positions = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        batch = {
            "input_ids": torch.from_numpy(ids).unsqueeze(0),
            "position_ids": torch.from_numpy(positions).unsqueeze(0),
            "cu_seq_lens": torch.from_numpy(np.concatenate(([0], ends)).astype(np.int32)),
        }
        if self.with_types:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        if self.with_words:
            batch["word_ids"] = torch.from_numpy(words).unsqueeze(0)
        return batch

    def __getstate__(self) -> dict[str, Any]:
        # Workers map the stream and find the packs anew: faster than to carry them over.
        return {k: v for k, v in self.__dict__.items() if k not in ("pieces", "packs")}
