"""FlashAttention over documents of different lengths laid end to end, on a GPU.

Torch's `varlen_attn` knows no dropout. The operator beneath it does; as it is no public one, what it computes is looked
at once on the device before it is trusted, and where it is something else, attention with dropout is computed without
the kernel.

Touches: the private operator `torch.ops.aten._flash_attention_forward` (torch 2.13), which is called, not changed.
Off: `model.backbone.dropout: 0` calls the public `varlen_attn` instead; `data.packing: false` and
`model.shortcuts: false` call neither.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ...errors import first_line

WIDEST = 256
"""Of a head, in elements; the kernel takes multiples of 8."""


def fits(device: torch.device, dtype: torch.dtype, width: int, dropout: float) -> bool:
    """Return whether the kernel can do it: half precision, heads of 8 x n, Ampere or newer.

    Args:
        device: of the query.
        dtype: of the query, as attention gets it.
        width: of a head.
        dropout: of attention probabilities.
    """
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16) or _kernel() is None:
        return False
    if width % 8 or width > WIDEST or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    return not dropout or dropout_works(device)


def varlen_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bounds: Tensor,
    longest: int,
    *,
    scale: float | None = None,
    causal: bool = False,
    window: int | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Return attention within documents.

    Args:
        query: (tokens, heads, width), bfloat16 or float16.
        key: (tokens, key heads, width); their number divides that of the query.
        value: the same.
        bounds: (documents + 1,), int32: where each begins, and the last one ends. What lies behind the last bound is
            not computed.
        longest: tokens of the longest document, or more.
        scale: of scores; None means 1 / sqrt(width).
        causal: whether tokens see only what is before them.
        window: how far a token sees, itself included; None: everything.
        dropout: of attention probabilities.

    Returns:
        (tokens, heads, width).
    """
    if query.shape[1] != key.shape[1]:
        key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], dim=1) for part in (key, value))
    back = -1 if window is None else window - 1
    ahead = 0 if causal else back
    if dropout:
        return _with_dropout(query, key, value, bounds, longest, scale, causal, (back, ahead), dropout)
    return _kernel()(query, key, value, bounds, bounds, longest, longest, scale=scale, window_size=(back, ahead))  # type: ignore[no-any-return]


def _kernel() -> Any:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _with_dropout(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bounds: Tensor,
    longest: int,
    scale: float | None,
    causal: bool,
    window: tuple[int, int],
    dropout: float,
) -> Tensor:
    attended: Tensor = torch.ops.aten._flash_attention_forward(
        query,
        key,
        value,
        bounds,
        bounds,
        longest,
        longest,
        dropout,
        causal,
        False,
        scale=scale,
        window_size_left=window[0],
        window_size_right=window[1],
    )[0]
    return attended


@torch.compiler.assume_constant_result
def dropout_works(device: torch.device) -> bool:
    """Return whether attention with dropout is what it should be on this device; looked at once."""
    return _dropout_fault(device) is None


@cache
def _dropout_fault(device: torch.device) -> str | None:
    """Return what is wrong with attention with dropout, or None.

    Dropout makes attention another linear map A of the values, and the gradient must be that of the same one:
    u . (A v) = (A^T u) . v for any u and v, in each head and column.
    """
    with torch.random.fork_rng(devices=[device]), torch.autocast("cuda", enabled=False), torch.enable_grad():
        torch.manual_seed(0)
        query, key, value, outer = torch.randn(4, 96, 2, 64, device=device).bfloat16().unbind()
        bounds = torch.tensor([0, 64, 96], dtype=torch.int32, device=device)
        value.requires_grad_()
        try:
            plain = _with_dropout(query, key, value, bounds, 64, None, False, (-1, -1), 0.0).detach().float()
            noisy = _with_dropout(query, key, value, bounds, 64, None, False, (-1, -1), 0.5)
            noisy.backward(outer)
        except (RuntimeError, TypeError, AttributeError) as error:
            return first_line(error)
        if value.grad is None:
            return "no gradient"
        dropped = noisy.detach().float()
        ahead = (outer.float() * dropped).sum(0)
        back = (value.grad.float() * value.detach().float()).sum(0)
        if not (ahead - back).norm() <= 0.1 * ahead.norm():
            return "the gradient is that of another mask"
        if not (dropped - plain).norm() >= 0.2 * plain.norm():
            return "nothing is left out"
    return None
