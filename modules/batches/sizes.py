"""How much there is in a batch, without waiting for the device."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Sizes(NamedTuple):
    """What a batch holds; scalars on its device, or numbers that its shape tells."""

    samples: Any
    """Rows; packed: documents."""
    tokens: Any
    """True ones of the input."""
    places: int
    """Tokens and padding."""
    pairs: Any
    """Of tokens that attend to each other: the sum of squared lengths."""


def batch_sizes(batch: Any) -> Sizes | None:
    """Return the sizes of a batch with the keys that the datamodules document; None for others."""
    if not isinstance(batch, dict):
        return None
    if "segment_a" in batch:
        parts = [batch["segment_a"], batch["segment_b"]]
        lengths = sum((part >= 0).sum(-1) for part in parts)
        return _of(lengths, sum(part.numel() for part in parts))
    if "input_ids" not in batch:
        return None
    ids = batch["input_ids"]
    if "cu_seq_lens" in batch:
        return _of(batch["cu_seq_lens"].diff(), ids.numel())
    mask = batch.get("attention_mask")
    lengths = mask.sum(-1) if mask is not None else torch.full(ids.shape[:-1], ids.shape[-1], device=ids.device)
    return _of(lengths, ids.numel())


def _of(lengths: Tensor, places: int) -> Sizes:
    return Sizes(lengths.numel(), lengths.sum(), places, lengths.square().sum())
