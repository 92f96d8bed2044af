from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from pretune.modules.metrics.multilabel import BINS, TunedF1


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(60, 3, generator=generator) < 0.3).long()
    return torch.randn(60, 3, generator=generator) + targets - 1.5, targets


def test_the_best_threshold_of_each_label_is_found() -> None:
    logits, targets = data()
    metric = TunedF1(3)
    for part in torch.arange(60).split(7):
        metric.update(logits[part], targets[part])
    bins = (logits.sigmoid() * BINS).long().numpy()
    best = [max(f1_score(targets[:, i], bins[:, i] >= b, zero_division=0) for b in range(BINS + 1)) for i in range(3)]
    assert float(metric.compute()) == pytest.approx(np.mean(best), abs=1e-6)
    chosen = (metric.thresholds() * BINS).round().numpy()
    assert f1_score(targets, bins >= chosen, average="macro") == pytest.approx(np.mean(best), abs=1e-6)


def test_fixed_thresholds_are_kept_to() -> None:
    logits, targets = data()
    metric = TunedF1(3)
    metric.fixed = torch.tensor([0.2, 0.5, 0.7])
    metric.update(logits, targets)
    expected = f1_score(targets, logits.sigmoid() >= metric.fixed, average="macro")
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_a_label_that_never_occurs_keeps_one_half() -> None:
    metric = TunedF1(2)
    metric.update(torch.tensor([[3.0, -2.0], [-3.0, -1.0]]), torch.tensor([[1, 0], [0, 0]]))
    assert metric.thresholds()[1] == 0.5
