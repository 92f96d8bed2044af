"""Low-rank adapters (arXiv 2106.09685) by peft: added in place, and merged into plain weights for export."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from ...errors import InputError


def add_lora(model: nn.Module, head: set[str], options: dict[str, Any]) -> None:
    """Adds adapters in place; everything but them and the head stops learning.

    Args:
        model: a Hugging Face network.
        head: names of the head's parameters, which go on learning.
        options: of `peft.LoraConfig`; `target_modules` is found by architecture when it is not given.

    Raises:
        InputError: if peft is missing, or does not know what to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise InputError("backbone.lora needs the package peft: pip install peft.") from error
    try:
        inject_adapter_in_model(LoraConfig(**options), model)
    except (TypeError, ValueError) as error:
        raise InputError(f"backbone.lora: {error}") from error
    for name, parameter in model.named_parameters():
        if name in head:
            parameter.requires_grad_(True)


def merge_lora(model: nn.Module) -> nn.Module:
    """A copy of the network without adapters, that computes the same."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    merged = copy.deepcopy(model)
    adapted = [(name, module) for name, module in merged.named_modules() if isinstance(module, BaseTunerLayer)]
    for name, module in adapted:
        module.merge()
        parent, _, last = name.rpartition(".")
        setattr(merged.get_submodule(parent), last, module.get_base_layer())
    return merged
