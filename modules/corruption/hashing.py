"""Random numbers as a function of the data: the same example draws the same numbers in any batch, on any device.

A generator's numbers depend on how examples are batched, on the number of workers and processes, and on everything
drawn before. A hash of (seed, example, position) depends on none of these, so that validation masks are fixed, training
masks survive a resume, and a gradient does not change with the micro-batch it was accumulated over.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


def mix(x: Tensor) -> Tensor:
    """Return the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) of int64 tensors; products wrap around."""
    x = x + _GOLDEN
    x = (x ^ _shift(x, 30)) * _MIX1
    x = (x ^ _shift(x, 27)) * _MIX2
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    # The shift of int64 carries the sign; an unsigned one is wanted.
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def row_keys(input_ids: Tensor, attention_mask: Tensor | None, seed: int) -> Tensor:
    """Return a key for each position, made of the seed, the row's whole content and the position.

    Args:
        input_ids: (rows, length), integers.
        attention_mask: (rows, length), 1 on real tokens; padding changes no key.
        seed: any integer.

    Returns:
        (rows, length), int64.
    """
    ids = input_ids.long()
    positions = torch.arange(ids.shape[1], device=ids.device)
    tokens = mix(ids * 65_537 + mix(positions + seed))
    if attention_mask is not None:
        tokens = tokens * attention_mask.long()
    content = tokens.sum(dim=1, keepdim=True)  # wraps around, which a hash may
    return mix(content + mix(positions))


def uniform(keys: Tensor, stream: int) -> Tensor:
    """Return uniform float32 numbers in [0, 1), independent between streams."""
    return (mix(keys ^ stream) & 0xFFFFFF).float() / float(1 << 24)


def integers(keys: Tensor, stream: int, high: int) -> Tensor:
    """Return uniform integers in [0, high), independent between streams; int64."""
    return (mix(keys ^ stream) & 0x7FFFFFFFFFFFFFFF) % high
