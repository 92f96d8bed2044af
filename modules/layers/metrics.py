"""Means per target, over a whole set and all processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassF1Score
from torchmetrics.regression import PearsonCorrCoef


class MeanPerTarget(Metric):
    """The mean over targets, from sums over batches; with weights, the weighted sum of the means of several parts.

    Not torchmetrics' `MeanMetric`: it either looks for NaN, for which every step waits for the device, or (with
    `nan_strategy="disable"`, version 1.9) forgets the weights.

    Args:
        weights: (parts,), of the parts; None where there is one.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.weights = list(weights or [1.0])
        # Double, so that the sum hardly depends on how the set was divided into batches; Apple's GPUs have no doubles.
        dtype = torch.float32 if torch.backends.mps.is_available() else torch.float64
        self.add_state("total", torch.zeros(len(self.weights), dtype=dtype), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(self.weights), dtype=dtype), dist_reduce_fx="sum")

    def update(self, total: Tensor, count: Tensor) -> None:
        """Adds the sums of a batch: (parts,), or any shape where there is one part."""
        several = len(self.weights) > 1
        self.total += total if several else total.sum()
        self.count += count if several else count.sum()

    def compute(self) -> Tensor:
        """Sums over counts, weighted and added; scalar, float32."""
        weights = torch.tensor(self.weights, dtype=self.total.dtype, device=self.total.device)
        return (weights * self.total / self.count).sum().float()


class Perplexity(MeanPerTarget):
    """The exponential of the mean loss per target, never a mean of perplexities.

    Args:
        scale: targets in a unit of another kind, such as tokens in a word: the perplexity is that of such a unit.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__([scale])

    def compute(self) -> Tensor:
        """exp(scale * sum of losses / number of targets)."""
        return torch.exp(super().compute())


class Pearson(PearsonCorrCoef):
    """Pearson's correlation; 0 where the predictions hardly differ, as early in training.

    It is not defined there, and a metric that is not a number would end the training.
    """

    def compute(self) -> Tensor:
        """Scalar, float32."""
        return torch.nan_to_num(super().compute())


class BinaryF1(MulticlassF1Score):
    """F1 of the second of two labels, as MRPC and QQP are scored; from logits (rows, 2)."""

    def __init__(self) -> None:
        super().__init__(2, average="none", validate_args=False)

    def compute(self) -> Tensor:
        """Scalar, float32."""
        return super().compute()[1]
