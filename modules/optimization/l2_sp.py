"""Decay towards the weights that training started from (L2-SP, arXiv 1802.01483)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..refusals import no_start


class DecayToStart:
    """After each step moves weights towards where they started, by `rate * strength` of the way.

    The paper adds a penalty to the loss; like weight decay in AdamW, this is decoupled from the gradient, so that
    Adam's scaling does not undo it (arXiv 1711.05101).

    Args:
        strength: times the learning rate, the share of the way back at each step.
        start: the weights at the start, by parameter.
    """

    def __init__(self, strength: float, start: Mapping[nn.Parameter, Tensor]) -> None:
        self.strength = strength
        self.start = start

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Make this a part of every step."""
        optimizer.register_step_post_hook(self._after_step)

    @torch.no_grad()
    def _after_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            moved = [p for p in group["params"] if p.grad is not None and p in self.start]
            if moved:
                torch._foreach_lerp_(moved, [self.start[p] for p in moved], group["lr"] * self.strength)


def weights_at_start(module: nn.Module, start: Mapping[str, Tensor]) -> dict[nn.Parameter, Tensor]:
    """Return the pretrained weights that decay is to lead back to, by parameter.

    Args:
        module: what learns, on its device.
        start: the weights by the parameters' names; an interrupted run brings its own.

    Raises:
        InputError: if there are none.
    """
    if not start:
        raise no_start()
    learning = dict(module.named_parameters())
    return {learning[name]: weight.to(learning[name].device) for name, weight in start.items()}
