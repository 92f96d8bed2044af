"""Encoders that compute no padding: their layers see the tokens of a batch one after the other, as ModernBERT's do.

Products of matrices, norms and dropout take each token by itself, and padding costs them as much as words do. Between
the first layer and the last one there is none here; attention keeps the rows apart as it does packed documents.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ..families import family
from .depth import layer_stacks
from .packed_attention import NAME, can_pack

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
    """Has an encoder compute no padding; for a CPU, where counting the tokens makes nobody wait.

    Does nothing to a network that cannot, to compiled layers (each batch would have another shape), or where it was
    done before.

    Args:
        model: any network; its attention is that of `packed_attention` if it can.
    """
    config = getattr(model, "config", None)
    if getattr(config, "_attn_implementation", None) != NAME or family(config) != "encoder" or not can_pack(model):
        return
    body, stacks = model.base_model, layer_stacks(model.base_model)
    done = any(isinstance(hook, _Rows) for hook in body._forward_pre_hooks.values())
    if done or len(stacks) != 1 or any(module._compiled_call_impl is not None for module in body.modules()):
        return
    if not set(inspect.signature(stacks[0][0].forward).parameters) <= UNDERSTOOD:
        return
    rows = _Rows(config)
    body.register_forward_pre_hook(rows, with_kwargs=True)
    for layer in stacks[0]:
        layer.register_forward_pre_hook(rows.into_layer, with_kwargs=True)
    stacks[0][-1].register_forward_hook(rows.out_of_layers)


class _Rows:
    """Which tokens of the present batch are some; called by the body, before anything else is."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.shape: torch.Size | None = None
        """(rows, length) of a batch with padding; None where there is none, or it is computed as it comes."""
        self.tokens = torch.empty(0)
        """(tokens,), int64, their places in rows and length laid flat."""

    def __call__(self, body: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        self.shape = None
        mask = kwargs.get("attention_mask")
        states = ("output_hidden_states", "output_attentions")
        whole = any(kwargs.get(name) or getattr(self.config, name, False) for name in states)
        if mask is None or mask.ndim != 2 or mask.is_cuda or whole or "cu_seq_lens_q" in kwargs:
            return None
        lengths = mask.sum(1)
        if bool(mask.all()) or not bool(lengths.all()):
            return None
        self.shape, self.tokens = mask.shape, mask.flatten().nonzero().squeeze(1)
        bounds = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).int()
        longest = int(lengths.max())
        packed = {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
        return args, {**kwargs, **packed}

    def into_layer(self, layer: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        """Takes the tokens out of what the first layer is given, and out of what each is told of positions."""
        if self.shape is None:
            return None
        kwargs = dict(kwargs)
        if kwargs.get("position_embeddings") is not None:
            kwargs["position_embeddings"] = tuple(self._tokens(part) for part in kwargs["position_embeddings"])
        if args:
            return (self._tokens(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self._tokens(kwargs["hidden_states"])}

    def out_of_layers(self, layer: nn.Module, args: Any, output: Any) -> Any:
        """Puts the tokens of the last layer back into rows; 0 where there is none."""
        if self.shape is None:
            return None
        states = output[0] if isinstance(output, tuple) else output
        rows = states.new_zeros(self.shape.numel(), states.shape[-1])
        rows = rows.index_copy(0, self.tokens, states[0]).view(*self.shape, -1)
        return (rows, *output[1:]) if isinstance(output, tuple) else rows

    def _tokens(self, values: Tensor) -> Tensor:
        """(1, tokens, ...) of (rows or 1, length, ...); what has been taken out is left as it is."""
        assert self.shape is not None
        if values.shape[1] != self.shape[1] or values.shape[0] not in (1, self.shape[0]):
            return values
        return values.expand(*self.shape, *values.shape[2:]).flatten(0, 1).index_select(0, self.tokens).unsqueeze(0)
