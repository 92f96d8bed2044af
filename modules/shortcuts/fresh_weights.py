"""Layers of a loaded network that start anew.

Touches: the mark `_is_hf_initialized` on weights and modules of transformers 5.23, which is taken off, as what bears it
is not initialized again; then the model's own `_init_weights` is called.
Off: `model.backbone.reinitialize_layers: 0`; a trained head of other labels always starts anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def reinitialize(model: PreTrainedModel, layer: nn.Module) -> None:
    """Give a layer the weights that its architecture starts with.

    Args:
        model: that knows how its layers start.
        layer: within it; changed in place.
    """
    for module in layer.modules():
        for parameter in module.parameters(recurse=False):
            if hasattr(parameter, "_is_hf_initialized"):
                del parameter._is_hf_initialized
        if hasattr(module, "_is_hf_initialized"):
            del module._is_hf_initialized
    layer.apply(model._init_weights)
