"""Gradual unfreezing: the head learns first, the layers below it one after another (arXiv 1801.06146)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn

from ...errors import InputError
from ..backbone.depth import parameter_depths


class GradualUnfreezing:
    """Switches gradients on from the top down, as a function of the step alone.

    Args:
        networks: what learns; what is frozen already stays so.
        span: optimizer steps until everything learns, or a fraction of the run when below 1.
        total: optimizer steps of the run.

    Raises:
        InputError: if a fraction is asked for, of a run of which nobody knows the length.
    """

    def __init__(self, networks: Iterable[nn.Module], span: float, total: float) -> None:
        if span < 1 and math.isinf(total):
            raise InputError(
                f"model.gradual_unfreezing is a fraction of the run ({span}), and nothing says how long "
                "that is: set trainer.max_steps or trainer.max_epochs, or give a number of steps."
            )
        self.steps = span if span >= 1 else span * total
        self._below: dict[nn.Parameter, float] = {}
        """How far below the head a parameter lies: 0 for the head, 1 for the embeddings."""
        for network in networks:
            depths, top = parameter_depths(network)
            for name, parameter in network.named_parameters():
                if parameter.requires_grad:
                    self._below.setdefault(parameter, (top - depths[name]) / top)
        self._learning = -1

    def at(self, step: int) -> None:
        """Set who learns in a step, counted from 0."""
        learns = [below * self.steps <= step for below in self._below.values()]
        if sum(learns) != self._learning:
            self._learning = sum(learns)
            for parameter, yes in zip(self._below, learns, strict=True):
                parameter.requires_grad_(yes)

    def end(self) -> None:
        """Let everything learn that did before."""
        for parameter in self._below:
            parameter.requires_grad_(True)
