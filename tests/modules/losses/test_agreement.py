"""R-Drop's divergence, against torch's own and by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from pretune.errors import InputError
from pretune.modules.losses.agreement import disagreement


def test_symmetric_divergence_as_in_the_paper() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(5, 4), torch.randn(5, 4)
    p, q = first.log_softmax(-1), second.log_softmax(-1)
    expected = (F.kl_div(p, q, reduction="sum", log_target=True) + F.kl_div(q, p, reduction="sum", log_target=True)) / 2
    torch.testing.assert_close(disagreement([first], [second], "classes"), expected)
    torch.testing.assert_close(disagreement([first, first], [second, first], "classes"), expected / 2)
    assert disagreement([first], [first], "classes") == 0


def test_what_cannot_be_chosen_plays_no_part() -> None:
    none = -math.inf
    first = torch.tensor([[0.2, none, 1.0]], requires_grad=True)
    second = torch.tensor([[0.9, none, -1.0]], requires_grad=True)
    found = disagreement([first], [second], "classes")
    torch.testing.assert_close(found, disagreement([first[:, ::2]], [second[:, ::2]], "classes"))
    found.backward()
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()


def test_binary_and_numbers() -> None:
    first, second = torch.tensor([0.4, -1.0]), torch.tensor([-0.3, 2.0])
    as_classes = [torch.stack((logits, torch.zeros(2)), -1) for logits in (first, second)]
    torch.testing.assert_close(
        disagreement([first], [second], "binary"), disagreement([as_classes[0]], [as_classes[1]], "classes")
    )
    torch.testing.assert_close(disagreement([first], [second], "numbers"), torch.tensor(0.7**2 + 9.0))


def test_nothing_to_compare_is_said() -> None:
    with pytest.raises(InputError, match="gives none"):
        disagreement([], [], "classes")
    with pytest.raises(InputError, match="two passes over the same input"):
        disagreement([torch.zeros(2, 3)], [torch.zeros(3, 3)], "classes")
