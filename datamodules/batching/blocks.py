"""Blocks: a stream of tokens cut into inputs of one length, none lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import check_range
from ...storage.cache import TokenStore
from ...text.tokenizer import block_frame
from .whole_batches import WholeBatches


class Blocks(WholeBatches):
    """Fixed blocks of a token stream, as batches.

    Args:
        store: the stream.
        tokenizer: knows the special tokens around a text, and the padding.
        block_size: tokens in a block, special tokens included.
        frame: whether each block gets the special tokens that the tokenizer puts around a text.
        stride: tokens from the beginning of a block to that of the next; None: they do not overlap.
        word_ids: whether batches number the words.
    """

    def __init__(
        self,
        store: TokenStore,
        tokenizer: Any,
        block_size: int,
        frame: bool = True,
        stride: int | None = None,
        word_ids: bool = False,
    ) -> None:
        self.store = store
        self.prefix, self.suffix, self.content = block_frame(tokenizer, block_size, frame)
        self.stride = self.content if stride is None else stride
        check_range("data.eval_stride", stride, least=1, most=self.content)
        self.block_size = block_size
        self.pad_id = tokenizer.pad_token_id or 0
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        self.with_words = word_ids
        self.tokens = store.size

    def __len__(self) -> int:
        return count_blocks(self.tokens, self.content, self.stride)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        rows = np.full((len(indices), self.block_size), self.pad_id, np.int64)
        mask = np.zeros_like(rows)
        words = np.full_like(rows, -1)
        before = len(self.prefix)
        for row, index in enumerate(indices):
            begin = index * self.stride
            stop = min(begin + self.content, self.tokens)
            end = before + stop - begin
            rows[row, :before] = self.prefix
            rows[row, before:end] = self.store.ids[begin:stop]
            rows[row, end : end + len(self.suffix)] = self.suffix
            mask[row, : end + len(self.suffix)] = 1
            if self.with_words:
                words[row, before:end] = np.cumsum(self.store.starts[begin:stop])
        batch = {"input_ids": torch.from_numpy(rows), "attention_mask": torch.from_numpy(mask)}
        if self.with_types:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        if self.with_words:
            batch["word_ids"] = torch.from_numpy(words)
        if self.stride < self.content:
            old = before + self.content - self.stride
            batch["overlap"] = torch.tensor([old if index else 0 for index in indices])
        return batch


def count_blocks(tokens: int, content: int, stride: int) -> int:
    """Return how many blocks a stream gives, the last of which may be shorter.

    Args:
        tokens: of the stream.
        content: tokens of it in a block.
        stride: from the beginning of a block to that of the next.
    """
    return 1 - (-max(0, tokens - content) // stride) if tokens else 0
