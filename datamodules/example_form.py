"""How the tokens of a corpus become examples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..storage.cache import TokenStore
from ..text.tokenizer import block_frame
from .batching.blocks import Blocks, count_blocks
from .batching.packing import Packs


@dataclass(frozen=True)
class ExampleForm:
    """Blocks, or packs of whole documents.

    Args:
        tokenizer: knows the special tokens around a text, and the padding.
        block_size: tokens in an example, special tokens included.
        packing: whole documents instead of blocks.
        frames: whether the tokenizer's special tokens go around a text.
        stride: tokens from the beginning of a block to that of the next; None: they do not overlap.
        word_ids: whether batches number the words.
        cache_dir: where to keep which documents are in which pack.
    """

    tokenizer: Any
    block_size: int
    packing: bool
    frames: bool
    stride: int | None
    word_ids: bool
    cache_dir: str

    def examples(self, store: TokenStore) -> Blocks | Packs:
        """Return the examples of a store of documents."""
        if self.packing:
            return Packs(store, self.tokenizer, self.block_size, self.frames, self.word_ids, self.cache_dir)
        return Blocks(store, self.tokenizer, self.block_size, self.frames, self.stride, self.word_ids)

    def count_blocks(self, tokens: int) -> int:
        """Return how many blocks so many tokens give."""
        return count_blocks(tokens, self._content, self._content if self.stride is None else self.stride)

    @cached_property
    def _content(self) -> int:
        return block_frame(self.tokenizer, self.block_size, self.frames)[2]

    @property
    def key(self) -> list[Any]:
        """What a cache key must hold beside the tokens and the tokenizer."""
        return [self.block_size, self.packing, self.frames, self.stride]
