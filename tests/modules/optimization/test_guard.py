"""Steps without numbers are left out and counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pretune.modules.optimization.guard import NumericGuard, all_finite, leave_out
from pretune.modules.optimization.muon import MuonWithAdamW

NAN, INF = float("nan"), float("inf")


def watch(guard: NumericGuard, losses: list[float], norms: list[float] | None = None) -> list[bool]:
    found = []
    for step, loss in enumerate(losses, 1):
        norm = torch.tensor(norms[step - 1] if norms else 1.0)
        found.append(bool(guard.look(step, torch.tensor(loss), norm)))
        guard.read()
    return found


def test_rows_are_counted() -> None:
    guard = NumericGuard(3)
    assert watch(guard, [1, NAN, 1, INF, -INF, 1], [1, 1, INF, 1, 1, 1]) == [False, True, True, True, True, False]
    guard.read(now=True)
    assert (guard.left_out, guard.most, guard.first, guard.broken) == (4, 4, 2, True)
    again = NumericGuard(3)
    watch(again, [NAN, NAN])
    resumed = NumericGuard(3)
    resumed.restore(again.state(), {})
    resumed.look(3, torch.tensor(NAN), torch.tensor(1.0))
    resumed.read(now=True)
    assert (resumed.left_out, resumed.first, resumed.broken) == (3, 1, True)
    never = NumericGuard(0)
    watch(never, [NAN] * 50)
    assert not never.broken


def test_what_was_counted_is_read_a_while_later() -> None:
    guard = NumericGuard(5)
    watch(guard, [NAN] * 19)
    assert not guard.broken
    watch(guard, [NAN])
    assert guard.broken


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(4, 4)), nn.Parameter(torch.randn(4))]


def make(kind: str, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    if kind == "muon":
        groups = [{"params": [w], "lr": 0.1, "weight_decay": 0.1, "hidden": w.ndim == 2} for w in weights]
        return MuonWithAdamW(groups, (0.9, 0.99))
    if kind == "sgd":
        return torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=0.1)
    return torch.optim.AdamW(weights, lr=0.1, weight_decay=0.1, fused=kind == "fused")


@pytest.mark.parametrize("kind", ["fused", "plain", "sgd", "muon"])
def test_a_step_that_is_left_out_is_none(kind: str) -> None:
    """Decay, momentum and the count of steps included: what follows is as if it had not been."""
    results: list[list[Tensor]] = []
    for spoilt in (False, True):
        weights = parameters()
        optimizer = make(kind, weights)
        for step in range(4):
            bad = spoilt and step == 2
            if not spoilt and step == 2:
                continue
            for weight in weights:
                weight.grad = torch.full_like(weight, NAN if bad else 0.1 * (step % 2 + 1))
            leave_out(optimizer, torch.tensor(bad), divided=False)
            optimizer.step()
        results.append([w.detach().clone() for w in weights])
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_weights_that_are_no_numbers_are_found() -> None:
    network = nn.Linear(3, 2)
    network.register_parameter("empty", nn.Parameter(torch.zeros(0)))
    assert all_finite([network])
    with torch.no_grad():
        network.bias[1] = INF
    assert not all_finite([nn.Linear(2, 2), network])
    assert all_finite([nn.Linear(2, 2).half()])
