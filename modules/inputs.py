"""What a Hugging Face network takes out of a batch, in the form that it computes fastest."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from ..contracts import FULL
from .shortcuts.packed_attention import full_inputs, packed_inputs
from .shortcuts.static_shapes import fill_pack
from .shortcuts.unpadding import unpadding_inputs

NETWORK_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids", "use_cache"})


def network_inputs(network: Any, batch: dict[str, Any], shortcuts: bool, compiled: bool) -> dict[str, Any]:
    """Return the arguments that a network is called with.

    Args:
        network: of transformers.
        batch: tensors by name, and the hints beside them.
        shortcuts: whether masks are left out where nothing is padded.
        compiled: whether packs are filled up to one shape.
    """
    if compiled and "cu_seq_lens" in batch:
        batch = fill_pack(batch)
    accepted = _accepted_by(type(network))  # type: ignore[arg-type]
    if not takes_types(network):
        accepted = accepted - {"token_type_ids"}
    full = shortcuts and bool(batch.get(FULL))
    if full:
        accepted = accepted - {"attention_mask"}
    offered = {**batch, "use_cache": False}  # keys and values, which no step asks for again
    inputs = {key: value for key, value in offered.items() if key in accepted}
    if "cu_seq_lens" in batch:
        return {**inputs, **packed_inputs(network, batch)}
    return {**inputs, **(full_inputs if full else unpadding_inputs)(network, batch)}


def takes_types(network: Any) -> bool:
    """Return whether a network tells texts apart by `token_type_ids`; GPT-2 would take them for words."""
    types = getattr(network.config, "type_vocab_size", 0)
    return types > 1 and "token_type_ids" in _accepted_by(type(network))  # type: ignore[arg-type]


@cache
def _accepted_by(network_class: Any) -> frozenset[str]:
    return NETWORK_INPUTS & set(inspect.signature(network_class.forward).parameters)
