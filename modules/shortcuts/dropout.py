"""Dropout on a CPU with a quarter of the random numbers.

Touches: the `nn.Dropout` (torch 2.13) of networks that are trained on a CPU, which are exchanged for others: torch
takes a random number for each value.
Off: `model.shortcuts: false`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def fast_dropout(values: Tensor, probability: float) -> Tensor:
    """Drop values as in training (arXiv 1207.0580), with a mask drawn by torch's generator.

    One draw of 64 bits serves four values, where torch takes a draw for each; drawing is most of what dropout costs
    on a CPU. The probability is met to 2^-16.

    Args:
        values: of any shape.
        probability: of a value to become 0; at least 0 and below 1.
    """
    return _Dropout.apply(values, probability) if probability else values


class FastDropout(nn.Dropout):
    """`nn.Dropout` whose mask takes a quarter of the draws on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop values of a tensor of any shape."""
        fast = self.training and 0 < self.p < 1 and input.device.type == "cpu"
        return fast_dropout(input, self.p) if fast else super().forward(input)


def use_fast_dropout(network: nn.Module) -> None:
    """Put `FastDropout` in the place of each `nn.Dropout`; neither has a weight, so that keys stay as they are."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, FastDropout(child.p, child.inplace).train(child.training))


def kept(shape: torch.Size, probability: float) -> Tensor:
    """Return a mask of this shape, uint8, 0 with the given probability and otherwise 1."""
    size = math.prod(shape)
    bits = torch.empty((size + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    mask = torch.empty(shape, dtype=torch.uint8)
    return torch.ge(bits[:size].view(shape), round(probability * 2**16) - 2**15, out=mask)


def _scaled(values: Tensor, mask: Tensor, scale: float) -> Tensor:
    # A CPU casts bytes eight times as fast as booleans, which `values * mask` would have to cast as well.
    return torch.addcmul(values.new_zeros(()), values, mask.to(values.dtype), value=scale)


class _Dropout(torch.autograd.Function):
    """Multiplies by the mask and the scale in one pass, forward and backward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        mask = kept(values.shape, probability)
        ctx.save_for_backward(mask)
        ctx.scale = 1 / (1 - probability)
        return _scaled(values, mask, ctx.scale)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return _scaled(outer, mask, ctx.scale), None
