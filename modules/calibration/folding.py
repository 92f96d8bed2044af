"""A temperature inside of a network: its last linear layer divided by it, so that whoever reads it has it too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..backbone.layers import in_body


def last_linear(model: Any, outputs: int) -> nn.Linear | None:
    """Return the layer that a head ends in; None where it ends in something else.

    Args:
        model: a Hugging Face network.
        outputs: of its head.
    """
    layers = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs and not in_body(model, f"{name}.weight")
    ]
    return layers[-1] if layers else None  # peft puts the copy that learns behind the one that it was made from


@contextmanager
def folded(layer: nn.Linear, temperature: float) -> Iterator[None]:
    """Divide what a layer gives by a temperature, and put its weights back in the end, to the bit.

    Args:
        layer: the last one of a head.
        temperature: above 0.
    """
    parameters = [p for p in (layer.weight, layer.bias) if p is not None]
    before = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.div_(temperature)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, before, strict=True):
                parameter.copy_(value)
