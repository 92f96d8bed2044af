"""Blocks: a stream of tokens cut into inputs of one length, none lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .cache import TokenStore


class Blocks:
    """Fixed blocks of a token stream, as batches.

    Args:
        store: the stream.
        tokenizer: knows the special tokens around a text, and the padding.
        block_size: tokens in a block, special tokens included.
    """

    def __init__(self, store: TokenStore, tokenizer: Any, block_size: int) -> None:
        self.store = store
        self.prefix, self.suffix = special_frame(tokenizer)
        self.content = block_size - len(self.prefix) - len(self.suffix)
        if self.content < 1:
            raise InputError(f"data.block_size is {block_size}, which the special tokens alone fill.")
        self.block_size = block_size
        self.pad_id = tokenizer.pad_token_id or 0
        self.with_types = "token_type_ids" in tokenizer.model_input_names
        self.tokens = int(store.ends[-1]) if len(store) else 0

    def __len__(self) -> int:
        return -(-self.tokens // self.content)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        rows = np.full((len(indices), self.block_size), self.pad_id, np.int64)
        mask = np.zeros_like(rows)
        before = len(self.prefix)
        for row, index in enumerate(indices):
            content = self.store.ids[index * self.content : min((index + 1) * self.content, self.tokens)]
            end = before + len(content)
            rows[row, :before] = self.prefix
            rows[row, before:end] = content
            rows[row, end : end + len(self.suffix)] = self.suffix
            mask[row, : end + len(self.suffix)] = 1
        batch = {"input_ids": torch.from_numpy(rows), "attention_mask": torch.from_numpy(mask)}
        if self.with_types:
            batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
        return batch


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids without special tokens, on all cores."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    backend.no_truncation()  # which an earlier call may have left on
    backend.no_padding()
    return [encoding.ids for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]


def special_frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens before and after a text: ([CLS], [SEP]) for BERT, nothing for GPT-2."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a")["input_ids"]
    for start in range(len(framed) - len(plain) + 1):
        if framed[start : start + len(plain)] == plain:
            return framed[:start], framed[start + len(plain) :]
    return [], []
