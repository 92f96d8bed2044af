"""Logistic regression, solved to its optimum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_logistic(x: Tensor, y: Tensor, classes: int, penalty: float = 1.0, steps: int = 200) -> tuple[Tensor, Tensor]:
    """Minimize the mean cross entropy plus penalty / (2 n) times the squared weights, by L-BFGS from zero.

    Features are standardized first; the result is for features as they come. The same input gives the same result.

    Args:
        x: (rows, features), float64.
        y: (rows,), int64.
        classes: how many.
        penalty: of the weights for standardized features; not of the bias.
        steps: at most.

    Returns:
        The weights (features, classes) and the bias (classes,).
    """
    mean, scale = x.mean(0), x.std(0, correction=0).clamp(min=1e-8)
    z = (x - mean) / scale
    weight = torch.zeros(x.shape[1], classes, dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(classes, dtype=x.dtype, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        solver.zero_grad()
        value = F.cross_entropy(z @ weight + bias, y) + penalty / (2 * len(x)) * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    raw = weight.detach() / scale.unsqueeze(1)
    return raw, bias.detach() - mean @ raw
