"""Encoders that compute no padding: their layers see the tokens of a batch one after the other, as ModernBERT's do.

Products of matrices, norms and dropout take each token by itself, and padding costs them as much as words do. Between
the first layer and the last one there is none here; attention keeps the rows apart as it does packed documents. On a
GPU this needs a kernel for such attention, and the number of tokens before the batch goes there, so that nobody waits.

Touches: the body and the layers of encoders of transformers 5.23 that are trained, by torch's public hooks (2.13),
which take padding out and put it back; and reads whether there are such hooks, or compiled layers
(`_forward_pre_hooks`, `_compiled_call_impl`).
Off: `model.shortcuts: false`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...contracts import LONGEST, TOKENS
from ..backbone.depth import layer_stacks
from ..backbone.families import family
from . import varlen_attention as varlen
from .packed_attention import NAME, can_pack, documents_inputs

HINTS = {LONGEST: "unpadded_longest", TOKENS: "unpadded_tokens"}
"""What a batch says of its rows, by the names under which a network is told."""
ROWS = "unpadded_rows"
"""Among what a layer is given: a `_TokensOfRows`."""
STATES = ("output_hidden_states", "output_attentions")
"""Who asks for these wants them of whole rows."""
UNDERSTOOD = {
    "hidden_states",
    "attention_mask",
    "position_embeddings",
    "position_ids",
    "encoder_hidden_states",
    "encoder_attention_mask",
    "past_key_values",
    "use_cache",
    "kwargs",
}
"""What a layer may be given; X-MOD's has a language for each row, of which there are none."""


def leave_out_padding(model: Any) -> None:
    """Have an encoder compute no padding.

    Does nothing to a network that cannot, to compiled layers (each batch would have another shape), or where it was
    done before. A batch on a GPU is computed padded where `unpadding_inputs` has nothing to say of it, or the kernel
    for attention does not fit.

    Args:
        model: any network; its attention is that of `packed_attention` if it can.
    """
    config = getattr(model, "config", None)
    if getattr(config, "_attn_implementation", None) != NAME or family(config) != "encoder" or not can_pack(model):
        return
    body, stacks = model.base_model, layer_stacks(model.base_model)
    if (
        computes_no_padding(body)
        or len(stacks) != 1
        or any(module._compiled_call_impl is not None for module in body.modules())
    ):
        return
    if not set(inspect.signature(stacks[0][0].forward).parameters) <= UNDERSTOOD:
        return
    body.register_forward_pre_hook(_find_tokens, with_kwargs=True)
    for layer in stacks[0]:
        layer.register_forward_pre_hook(_into_layer, with_kwargs=True)
    stacks[0][-1].register_forward_hook(_out_of_layers, with_kwargs=True)


def computes_no_padding(body: nn.Module) -> bool:
    """Return whether `leave_out_padding` has changed this body."""
    return _find_tokens in body._forward_pre_hooks.values()


def unpadding_inputs(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Return what to tell a network of a padded batch beside its inputs, so that a GPU need not be asked.

    Args:
        model: any network.
        batch: with hints or without.
    """
    if not computes_no_padding(model.base_model) or any(hint not in batch for hint in HINTS):
        return {}
    return {name: batch[hint] for hint, name in HINTS.items()}


@dataclass(frozen=True)
class _TokensOfRows:
    """Where the tokens of a batch are; handed from layer to layer, so that one computed again finds its own.

    Args:
        shape: (rows, length).
        tokens: (tokens,), int64, their places in rows and length laid flat.
    """

    shape: torch.Size
    tokens: Tensor

    def take(self, values: Tensor) -> Tensor:
        """Return (1, tokens, ...) of (rows or 1, length, ...)."""
        return values.expand(*self.shape, *values.shape[2:]).flatten(0, 1).index_select(0, self.tokens).unsqueeze(0)

    def take_states(self, values: Tensor) -> Tensor:
        """Return (1, tokens, width) of (rows, length, width); what the layer before has taken out is left as it is.

        There may be as many tokens as a row is long, but then there are several rows: a single one has padding.
        """
        return self.take(values) if values.shape[:2] == self.shape else values

    def put(self, values: Tensor) -> Tensor:
        """Return (rows, length, width) of (1, tokens, width); 0 where there is no token."""
        rows = values.new_zeros(self.shape.numel(), values.shape[-1])
        return rows.index_copy(0, self.tokens, values[0]).view(*self.shape, -1)


def _find_tokens(body: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Tell the layers of a batch with padding; any other is computed as it comes."""
    tokens, longest = kwargs.get(HINTS[TOKENS]), kwargs.get(HINTS[LONGEST], 0)
    kwargs = {key: value for key, value in kwargs.items() if key not in HINTS.values()}
    mask = kwargs.get("attention_mask")
    if mask is None or mask.ndim != 2 or "cu_seq_lens_q" in kwargs:
        return args, kwargs
    if any(kwargs.get(name) or getattr(body.config, name, False) for name in STATES):
        return args, kwargs
    if mask.is_cuda and (tokens is None or not varlen.fits(mask.device, *_attention_of(body))):
        return args, kwargs
    mask = mask.bool()  # some number their documents in it
    lengths = mask.sum(1)
    if tokens is None:
        if bool(mask.all()) or not bool(lengths.all()):
            return args, kwargs
        tokens, longest = int(lengths.sum()), int(lengths.max())
    places = torch.nonzero_static(mask.flatten(), size=tokens).squeeze(1)
    bounds = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).int()
    return args, {**kwargs, **documents_inputs(bounds, longest), ROWS: _TokensOfRows(mask.shape, places)}


def _attention_of(body: Any) -> tuple[torch.dtype, int, float]:
    """Return the dtype, the width of a head and the dropout that attention on a GPU will have."""
    config = body.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rates = [value for key, value in vars(config).items() if key.startswith("att") and "dropout" in key]
    autocast = torch.is_autocast_enabled("cuda")
    dtype = torch.get_autocast_dtype("cuda") if autocast else next(body.parameters()).dtype
    return dtype, width, max((rate for rate in rates if rate), default=0.0) if body.training else 0.0


def _into_layer(layer: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """Take the tokens out of what the first layer is given, and out of what each is told of positions."""
    rows: _TokensOfRows | None = kwargs.get(ROWS)
    if rows is None:
        return None
    if kwargs.get("position_embeddings") is not None:
        kwargs = {**kwargs, "position_embeddings": tuple(rows.take(part) for part in kwargs["position_embeddings"])}
    if args:
        return (rows.take_states(args[0]), *args[1:]), kwargs
    return args, {**kwargs, "hidden_states": rows.take_states(kwargs["hidden_states"])}


def _out_of_layers(layer: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
    """Put the tokens of the last layer back into rows."""
    rows: _TokensOfRows | None = kwargs.get(ROWS)
    if rows is None:
        return None
    return (rows.put(output[0]), *output[1:]) if isinstance(output, tuple) else rows.put(output)
