"""Scores over a whole set and all processes, whose updates never wait for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix
from torchmetrics.regression import PearsonCorrCoef


class MeanPerTarget(Metric):
    """The mean over targets, from sums over batches; with weights, the weighted sum of the means of several parts.

    Not torchmetrics' `MeanMetric`: it either looks for NaN, for which every step waits for the device, or (with
    `nan_strategy="disable"`, version 1.9) forgets the weights.

    Args:
        weights: (parts,), of the parts; None where there is one.
    """

    full_state_update = False
    higher_is_better = False
    """Means of losses; of what should rise there is `AccuracyPerTarget`."""
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
        """Add the sums of a batch: (parts,), or any shape where there is one part."""
        has_parts = len(self.weights) > 1
        self.total += total if has_parts else total.sum()
        self.count += count if has_parts else count.sum()

    def compute(self) -> Tensor:
        """Return sums over counts, weighted and added; scalar, float32."""
        weights = torch.tensor(self.weights, dtype=self.total.dtype, device=self.total.device)
        return (weights * self.total / self.count).sum().float()


class AccuracyPerTarget(MeanPerTarget):
    """The share of targets that are right, from sums over batches."""

    higher_is_better = True


class Perplexity(MeanPerTarget):
    """The exponential of the mean loss per target, never a mean of perplexities.

    Args:
        scale: targets in a unit of another kind, such as tokens in a word: the perplexity is that of such a unit.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__([scale])

    def compute(self) -> Tensor:
        """Return exp(scale * sum of losses / number of targets); scalar, float32."""
        return torch.exp(super().compute())


class Pearson(PearsonCorrCoef):
    """Pearson's correlation; 0 where the predictions hardly differ, as early in training.

    It is not defined there, and a metric that is not a number would end the training.
    """

    higher_is_better = True
    """torchmetrics leaves it open: minus one is a perfect correlation too, but not one that is wished for."""

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        return torch.nan_to_num(super().compute())


class LabelCounts(Metric):
    """What scores of single labels are made of, counted for each label: never a matrix of labels by labels.

    Args:
        labels: how many.
    """

    full_state_update = False
    right: Tensor
    predicted: Tensor
    support: Tensor

    def __init__(self, labels: int) -> None:
        super().__init__()
        for name in ("right", "predicted", "support"):
            self.add_state(name, torch.zeros(labels, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Add a batch: (rows, labels) logits, and (rows,) int64 targets."""
        guesses = logits.argmax(-1)
        self.predicted.scatter_add_(0, guesses, torch.ones_like(guesses))
        self.support.scatter_add_(0, targets, torch.ones_like(targets))
        self.right.scatter_add_(0, targets, (guesses == targets).long())


class F1(LabelCounts):
    """F1 of single labels, from logits (rows, labels).

    Args:
        labels: how many.
        average: `macro`, `weighted` or `none`; labels that neither occur nor are predicted count in no mean.
    """

    higher_is_better = True

    def __init__(self, labels: int, average: Literal["macro", "weighted", "none"]) -> None:
        super().__init__(labels)
        self.average = average

    def compute(self) -> Tensor:
        """Return a scalar, float32; (labels,) without an average."""
        scores = 2 * self.right.double() / (self.predicted + self.support).clamp(min=1)
        if self.average == "none":
            return scores.float()
        weights = self.support if self.average == "weighted" else ((self.predicted + self.support) > 0)
        return ((scores * weights).sum() / weights.sum().clamp(min=1)).float()


class BinaryF1(F1):
    """F1 of the second of two labels, as MRPC and QQP are scored; from logits (rows, 2)."""

    def __init__(self) -> None:
        super().__init__(2, "none")

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        return super().compute()[1]


class Matthews(LabelCounts):
    """Matthews' correlation of single labels, from logits (rows, labels); 0 where one side has one label only."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        right, predicted, support = self.right.double(), self.predicted.double(), self.support.double()
        rows = support.sum()
        product = (rows**2 - (predicted**2).sum()) * (rows**2 - (support**2).sum())
        covariance = right.sum() * rows - (predicted * support).sum()
        return torch.where(product > 0, covariance / product.clamp(min=1).sqrt(), 0.0).float()


class Confusion(MulticlassConfusionMatrix):
    """The confusion matrix, from logits (rows, labels): rows are what is right, columns what was predicted."""

    def __init__(self, labels: int) -> None:
        super().__init__(labels, validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch; torchmetrics' own count, `torch.bincount`, waits for a GPU."""
        places = target * preds.shape[-1] + preds.argmax(-1)
        self.confmat.view(-1).scatter_add_(0, places, torch.ones_like(places))
