"""Exact attention over packed documents: none sees another, whatever the architecture.

Restarting `position_ids` does not keep documents apart in most encoders, and a mask of (tokens, tokens) costs memory
that grows with the square of a batch. Here each document attends to itself only: by FlashAttention on a GPU that has
it, elsewhere side by side with others of about its length. The function is registered with transformers'
`AttentionInterface`; without `cu_seq_lens_q` it is transformers' own `sdpa`, so that a model that was switched to it
still takes padded batches and generates.

Touches: the attention of networks of transformers 5.23, by its public `AttentionInterface`, `AttentionMaskInterface`
and `set_attn_implementation`, as documents of a pack would see each other otherwise; and reads what networks say of
themselves (`_attn_implementation`, `_supports_sdpa`, `_supports_attention_backend`).
Off: `model.shortcuts: false`, where documents are not packed (`data.packing: false`).
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...contracts import LONGEST
from ..backbone.families import family
from ..backbone.positions import first_position
from . import varlen_attention as varlen
from .cpu_attention import attention, takes_long
from .document_groups import groups_of
from .static_shapes import any_length

NAME = "pretune_packed"


def can_pack(model: Any) -> bool:
    """Return whether all of a model's attention goes through the interface, and nothing else mixes positions."""
    options = inspect.signature(model.forward).parameters
    takes_all = any(option.kind is inspect.Parameter.VAR_KEYWORD for option in options.values())
    # MobileBERT's embeddings look at both neighbors; capped scores are nothing that a kernel here computes.
    mixes = any(
        getattr(model.config, n, None) for n in ("trigram_input", "attn_logit_softcapping", "is_encoder_decoder")
    )
    through = model._supports_attention_backend and model._supports_sdpa
    return bool(through and not mixes and takes_all and "position_ids" in options)


def packed_inputs(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Return the model's inputs beside token ids for a packed batch; switch its attention on first use.

    Args:
        model: one that `can_pack`.
        batch: `position_ids` (1, tokens), restarting in each document, and `cu_seq_lens` (documents + 1,).
    """
    use_own_attention(model)
    bounds = batch["cu_seq_lens"].int()
    longest = batch.get(LONGEST) or int(bounds.diff().max())
    return {
        "position_ids": batch["position_ids"] + first_position(model.config),
        "attention_mask": _ready_mask(bounds.device),
        **documents_inputs(bounds, longest),
    }


def documents_inputs(bounds: Tensor, longest: int) -> dict[str, Any]:
    """Return what attention is told of documents, by the names that transformers has for it.

    Args:
        bounds: (documents + 1,), int32, where each begins and the last one ends.
        longest: tokens of the longest, or more.
    """
    if bounds.is_cuda:  # an upper bound is enough for the kernel, and few different ones let a compiled layer stay
        longest = max(64, 1 << (longest - 1).bit_length())
    any_length(bounds)  # as many documents as there are
    return {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}


def full_inputs(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Return the model's inputs beside token ids for rows of which nothing is padding.

    Without a mask, transformers asks the positions of a decoder whether its rows are packed documents, and waits for a
    GPU to answer; encoders are not asked.

    Args:
        model: one that `can_pack`, or any other, for which nothing is needed.
        batch: `input_ids`, (rows, length).
    """
    if model.config._attn_implementation != NAME or family(model.config) != "decoder":
        return {}
    ids = batch["input_ids"]
    places = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
    return {"position_ids": places + first_position(model.config), "attention_mask": _ready_mask(ids.device)}


def _ready_mask(device: torch.device) -> Tensor:
    """Return what transformers takes for a mask that is ready; it would make one of (tokens, tokens)."""
    return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)


def use_own_attention(model: Any) -> None:
    """Switch a model's attention to the one of this file.

    Args:
        model: one that `can_pack`.
    """
    if model.config._attn_implementation != NAME:
        _register()
        model.set_attn_implementation(NAME)


def prefer_own_attention(model: Any) -> None:
    """Switch a model whose attention is `sdpa`, transformers' default, if it can; for training.

    On a CPU long texts gain; elsewhere it is torch's attention, but nobody waits for a GPU to look at the padding. Does
    nothing to what is no transformers model.

    Args:
        model: any network.
    """
    if getattr(getattr(model, "config", None), "_attn_implementation", None) == "sdpa" and can_pack(model):
        use_own_attention(model)


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, _padded_mask)


def _padded_mask(attention_mask: Tensor | None = None, **options: Any) -> Tensor | None:
    """Return transformers' mask for `sdpa` without its look, which waits for a GPU, at whether anything is masked.

    Where nothing is, the mask was left out before.
    """
    from transformers.masking_utils import sdpa_mask

    if attention_mask is not None:
        options |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    mask: Tensor | None = sdpa_mask(attention_mask=attention_mask, **options)
    return mask


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Return attention within documents.

    Args:
        module: the layer; it knows whether it looks ahead, and how many heads share a key.
        query: (1, heads, tokens, width).
        key: (1, key heads, tokens, width).
        value: the same.
        attention_mask: not used for packed documents; one of (1, 1, 1, 1) masks nothing.
        dropout: of attention probabilities.
        scaling: of scores; None means 1 / sqrt(width).
        is_causal: whether tokens see only what is before them; None asks the layer.
        cu_seq_lens_q: (documents + 1,) int32, where each document begins and the last one ends; None for batches that
            are not packed.
        max_length_q: tokens in the longest document.
        sliding_window: tokens see others that are less than this many places away.
        **options: what else transformers passes on.

    Returns:
        (1, tokens, heads, width), and no probabilities.
    """
    causal = bool(getattr(module, "is_causal", True)) if is_causal is None else is_causal
    if cu_seq_lens_q is None:
        if attention_mask is not None and attention_mask.shape == (1, 1, 1, 1):
            attention_mask = _window(query.shape[2], sliding_window, causal, query.device)
        if takes_long(query):
            causal = causal and attention_mask is None and query.shape[2] > 1
            attended = attention(query, key, value, attention_mask, dropout, causal, scaling)
            return attended.transpose(1, 2).contiguous(), None
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        options = {key_: value_ for key_, value_ in options.items() if key_ not in ("cu_seq_lens_k", "max_length_k")}
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **options
        )
    query, key, value = _as_autocast(query, key, value)
    if varlen.fits(query.device, query.dtype, query.shape[-1], dropout):
        longest = int(cu_seq_lens_q.diff().max()) if max_length_q is None else max_length_q
        q, k, v = (part.squeeze(0).transpose(0, 1) for part in (query, key, value))
        attended = varlen.varlen_attention(
            q,
            k,
            v,
            cu_seq_lens_q,
            longest,
            scale=scaling,
            causal=causal,
            window=sliding_window,
            dropout=dropout,
        )
        return attended.unsqueeze(0), None
    return _side_by_side(query, key, value, dropout, causal, scaling, cu_seq_lens_q, sliding_window), None


@torch.compiler.disable  # each batch has other lengths, and would be compiled anew
def _side_by_side(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout: float,
    causal: bool,
    scale: float | None,
    bounds: Tensor,
    window: int | None,
) -> Tensor:
    groups = groups_of(tuple(bounds.diff().tolist()), query.shape[1], query.device)
    q, k, v = (groups.pad(part) for part in (query, key, value))
    parts = zip(q, k, v, groups.masks, strict=True)
    return groups.together(_group(*part, dropout, causal, scale, window) for part in parts)


def _group(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    tokens: Tensor | None,
    dropout: float,
    causal: bool,
    scale: float | None,
    window: int | None,
) -> Tensor:
    """Return attention within each of some documents, of which `tokens` says what is no padding."""
    length = query.shape[2]
    mask = _window(length, window, causal, query.device)
    if tokens is not None and not causal:  # what is causal does not look at padding, which comes last
        alone = torch.eye(length, dtype=torch.bool, device=query.device)  # padding that sees nothing is no number
        mask = tokens if mask is None else mask & tokens | alone
    causal = causal and mask is None
    if takes_long(query):
        return attention(query, key, value, mask, dropout, causal, scale)
    grouped = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def _window(length: int, window: int | None, causal: bool, device: torch.device) -> Tensor | None:
    """Return (length, length), boolean, of a document that is longer than the window; None where no mask is needed."""
    if window is None or length <= window:
        return None
    places = torch.arange(length, device=device)
    distance = places.unsqueeze(1) - places
    return (distance < window) & (distance >= 0) if causal else distance.abs() < window


def _as_autocast(*parts: Tensor) -> tuple[Tensor, ...]:
    """Return queries, keys and values in autocast's dtype for attention: rotating leaves them in float32."""
    kind = parts[0].device.type
    if kind == "cpu" or not torch.is_autocast_enabled(kind):
        return parts
    return tuple(part.to(torch.get_autocast_dtype(kind)) for part in parts)
