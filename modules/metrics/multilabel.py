"""F1 of several labels, each with the threshold that suits it."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

BINS = 1000
"""Thresholds are multiples of one thousandth; coarser ones where there are very many labels."""

MOST_CELLS = 1 << 23
FEWEST_BINS = 50


class TunedF1(Metric):
    """Macro F1 over labels, each at its own threshold on the probability.

    Holds how often a probability lay in which bin, and not the probabilities: its size does not grow with the data.

    Args:
        labels: how many.

    Attributes:
        fixed: (labels,), the thresholds to score at; None takes for each label the one with the highest F1, which only
            makes sense on validation.
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.fixed: Tensor | None = None
        self.bins = min(BINS, max(FEWEST_BINS, MOST_CELLS // (2 * labels)))
        self.add_state("counts", torch.zeros(labels, 2, self.bins + 1, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Add a batch: (rows, labels) logits, and targets that are 0 or 1."""
        labels = logits.shape[1]
        bins = (logits.float().sigmoid() * self.bins).long()
        place = ((torch.arange(labels, device=bins.device) * 2 + targets.long()) * (self.bins + 1) + bins).flatten()
        self.counts.view(-1).scatter_add_(0, place, torch.ones_like(place))

    def f1(self) -> Tensor:
        """Return (labels, bins): the F1 of each label if everything from that bin up counts as predicted."""
        above = self.counts.flip(-1).cumsum(-1).flip(-1).double()
        false, true = above.unbind(1)
        positives = true[:, :1]
        return 2 * true / (true + false + positives).clamp(min=1)

    def thresholds(self) -> Tensor:
        """Return (labels,), float32: the lowest probability to predict each label at; 0.5 where nothing tells."""
        scores = self.f1()
        best = scores.max(1, keepdim=True).values
        # Of equals, the one nearest to one half.
        distance = (torch.arange(self.bins + 1, device=scores.device) - self.bins / 2).abs()
        chosen = torch.where(scores == best, distance, torch.inf).argmin(1)
        return chosen.float() / self.bins

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        thresholds = self.thresholds() if self.fixed is None else self.fixed
        bins = (thresholds * self.bins).round().long().to(self.counts.device)
        return self.f1().gather(1, bins[:, None]).mean().float()
