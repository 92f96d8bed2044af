from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pretune.modules.optimization.window import Window


def gradients(micro_batches: list[list[int]], whole: bool) -> list[Tensor]:
    """Of 0.5 * mean of part one + 3 * mean of part two, over rows in micro-batches."""
    torch.manual_seed(0)
    body, head = nn.Linear(4, 3), nn.Linear(3, 1)
    parameters = [*body.parameters(), *head.parameters()]
    rows = torch.randn(8, 4)
    window = Window([0.5, 3.0])
    for numbers in micro_batches:
        state = body(rows[numbers])
        first = head(state).tanh()[::2]  # fewer targets than rows, and not the same share in every micro-batch
        second = state.square().sum(1)
        losses = [first.sum(), second.sum()]
        counts = [torch.tensor(len(first)), torch.tensor(len(second))]
        loss = window.add(losses, counts, parameters, whole, lambda tensor: tensor)
        (loss / len(micro_batches)).backward()  # as Lightning divides
    totals = window.close(parameters, len(micro_batches), lambda tensor: tensor)
    assert totals[:, 1].tolist() == [sum((len(n) + 1) // 2 for n in micro_batches), 8]
    return [p.grad.clone() for p in parameters if p.grad is not None]


def by_hand(micro_batches: list[list[int]]) -> list[Tensor]:
    torch.manual_seed(0)
    body, head = nn.Linear(4, 3), nn.Linear(3, 1)
    rows = torch.randn(8, 4)
    first = torch.cat([head(body(rows[n])).tanh()[::2] for n in micro_batches])
    second = torch.cat([body(rows[n]).square().sum(1) for n in micro_batches])
    (0.5 * first.mean() + 3 * second.mean()).backward()
    return [p.grad for p in [*body.parameters(), *head.parameters()] if p.grad is not None]


@pytest.mark.parametrize(
    ("micro_batches", "whole"),
    [([list(range(8))], True), ([list(range(8))], False), ([[0, 1, 2], [3, 4, 5, 6, 7]], False),
     ([[0], [1, 2], [3, 4, 5], [6, 7]], False)],
)  # fmt: skip
def test_each_part_is_a_mean_over_its_own_targets(micro_batches: list[list[int]], whole: bool) -> None:
    for found, expected in zip(gradients(micro_batches, whole), by_hand(micro_batches), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
