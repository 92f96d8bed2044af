"""Attention on a CPU in bfloat16, where a gradient is wanted.

Torch's attention for CPUs has a fast forward pass in bfloat16, but its backward pass takes several times as long, and
with dropout it computes in float32 (torch 2.13). Plain products of matrices, which such processors have units for, take
a third to a half of the time up to some thousand tokens, and the memory of the scores. Scores and probabilities are
rounded to bfloat16, as autocast rounds the attention that transformers calls `eager`; torch's own rounds the result
alone, so that where attention is sharp this one is two to five times as far from float32.

Touches: nothing by itself; `packed_attention` has it compute instead of `scaled_dot_product_attention` (torch 2.13).
Off: `model.shortcuts: false`, where documents are not packed (`data.packing: false`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .dropout import fast_dropout

LONGEST = 1024
"""Tokens above which torch's attention in float32 is as fast, without the memory that grows with their square."""


def takes_long(query: Tensor) -> bool:
    """Return whether torch would take long for attention with this query: on a CPU, in bfloat16, with a gradient."""
    if query.device.type != "cpu" or not (torch.is_grad_enabled() and query.requires_grad):
        return False
    cast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return cast or query.dtype == torch.bfloat16  # rotated queries are float32 until autocast casts them back


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, causal: bool, scale: float | None
) -> Tensor:
    """Return scaled dot product attention (arXiv 1706.03762).

    Args:
        query: (rows, heads, tokens, width), of any floating dtype; computed in bfloat16.
        key: (rows, key heads, others, width); each serves as many heads of the query.
        value: the same.
        mask: boolean, where to look, or of a floating dtype, what to add to the scores; None: everywhere.
        dropout: of attention probabilities.
        causal: whether tokens see only what is before them; with no mask.
        scale: of scores; None means 1 / sqrt(width).

    Returns:
        (rows, heads, tokens, width), bfloat16.
    """
    query, key, value = (part.bfloat16() for part in (query, key, value))
    groups = query.shape[1] // key.shape[1]
    with torch.autocast("cpu", enabled=False):  # which would choose other dtypes
        if max(query.shape[2], key.shape[2]) > LONGEST and not dropout:
            mask = mask.float() if mask is not None and mask.dtype == query.dtype else mask
            wide = F.scaled_dot_product_attention(
                query.float(), key.float(), value.float(), mask, is_causal=causal, scale=scale, enable_gqa=groups > 1
            )
            return wide.to(query.dtype)
        if groups > 1:
            key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        scores = torch.matmul(query * scale, key.transpose(-1, -2))
        if causal:
            mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if mask is not None and mask.dtype == torch.bool:
            # Not minus infinity: a row that sees nothing, as padding may, would not be a number.
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        elif mask is not None:
            scores = scores + mask.to(scores.dtype)
        return torch.matmul(fast_dropout(scores.softmax(-1), dropout), value)
