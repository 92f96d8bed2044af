"""Means per target, over a whole set and all processes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanPerTarget(Metric):
    """The mean over targets, from sums over batches.

    Not torchmetrics' `MeanMetric`: it either looks for NaN, for which every step waits for the device, or (with
    `nan_strategy="disable"`, version 1.9) forgets the weights.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Double, so that the sum hardly depends on how the set was divided into batches; Apple's GPUs have no doubles.
        dtype = torch.float32 if torch.backends.mps.is_available() else torch.float64
        self.add_state("total", torch.zeros((), dtype=dtype), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=dtype), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: Tensor) -> None:
        """Adds the sums (of any shape) of a batch."""
        self.total += total.sum()
        self.count += count.sum()

    def compute(self) -> Tensor:
        """Sum over count, float32."""
        return (self.total / self.count).float()


class Perplexity(MeanPerTarget):
    """The exponential of the mean loss per target, never a mean of perplexities."""

    def compute(self) -> Tensor:
        """exp(sum of losses / number of targets)."""
        return torch.exp(super().compute())
