"""Metrics that torchmetrics does not have in the shape needed here."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import MeanMetric


class Perplexity(MeanMetric):
    """The exponential of a mean loss that is weighted by the number of targets, never a mean of perplexities."""

    def compute(self) -> Tensor:
        """exp(sum of losses / number of targets)."""
        return torch.exp(super().compute())
