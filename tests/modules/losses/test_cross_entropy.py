"""Cross entropy with label smoothing, against torch's own and by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from pretune.modules.losses.cross_entropy import binary_cross_entropy, cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5, 3.0])])
def test_as_torch_has_it(smoothing: float, weights: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(7, 4, dtype=torch.float64), torch.arange(7) % 4
    weights = None if weights is None else weights.double()
    expected = F.cross_entropy(logits, targets, weights, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(logits, targets, smoothing, weights), expected)


def test_nothing_is_spread_over_what_cannot_be_chosen() -> None:
    for impossible in (-math.inf, float(torch.finfo(torch.float32).min)):
        logits = torch.tensor([[0.3, -0.2, impossible], [1.0, 0.1, 0.4]], requires_grad=True)
        targets = torch.tensor([0, 2])
        expected = F.cross_entropy(logits[:1, :2], targets[:1], reduction="sum", label_smoothing=0.1)
        expected = expected + F.cross_entropy(logits[1:], targets[1:], reduction="sum", label_smoothing=0.1)
        found = cross_entropy(logits, targets, 0.1)
        torch.testing.assert_close(found, expected)
        found.backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_binary() -> None:
    logits, targets = torch.tensor([0.5, -2.0]), torch.tensor([1.0, 0.0])
    p = logits.sigmoid()
    expected = -(0.9 * p[0].log() + 0.1 * (1 - p[0]).log()) - (0.1 * p[1].log() + 0.9 * (1 - p[1]).log())
    torch.testing.assert_close(binary_cross_entropy(logits, targets, 0.2), expected)
