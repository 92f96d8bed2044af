"""The gradient of an accumulation window: a mean over all of its targets, for one loss or a sum of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

SUM_SCALE = 2.0**-10
"""Losses are summed over targets, not averaged; in fp16 the sum would overflow without this (exact) factor."""


class Window:
    """Turns gradients of sums into the gradient of means, over micro-batches and processes.

    The loss is a weighted sum of parts, each a mean over its own targets: sum_i w_i * (sum of part i / targets of part
    i). Where the window is a single micro-batch, that is what the backward pass runs on. Otherwise, how many targets a
    window holds is known only at its end: with one part the gradient is divided then, and with several, every part
    after the first gets a backward pass and a gradient of its own, which are put together at the end.

    Args:
        weights: (parts,), of the parts.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = weights
        self.totals: Tensor | None = None
        """(parts, 2), float64: the sums of the losses and the numbers of targets so far."""
        self._done = False
        self._gradients: list[list[Tensor | None]] = [[] for _ in weights[1:]]

    def add(
        self,
        losses: Sequence[Tensor],
        counts: Sequence[Tensor],
        parameters: Sequence[nn.Parameter],
        whole: int,
        reduce: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Add a micro-batch.

        Args:
            losses: a scalar for each part, the sum over targets.
            counts: a scalar for each part, the number of targets.
            parameters: those that learn.
            whole: where this micro-batch is the whole window, the number of processes whose gradients are averaged;
                otherwise 0.
            reduce: sums a tensor over all processes.

        Returns:
            The scalar to run backward on.
        """
        totals = torch.stack(
            [torch.stack((s.detach(), n.detach())).double() for s, n in zip(losses, counts, strict=True)]
        )
        self.totals = totals if self.totals is None else self.totals + totals
        if whole:
            self._done = True
            targets = reduce(totals[:, 1].clone()).clamp(min=1e-12)
            factors = [whole * weight / count for weight, count in zip(self.weights, targets.unbind(), strict=True)]
            return sum((s * f.float() for s, f in zip(losses, factors, strict=True)), losses[0] * 0)
        if len(losses) == 1:
            return losses[0] * (SUM_SCALE * self.weights[0])
        for kept, loss in zip(self._gradients, losses[1:], strict=True):
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            kept[:] = [_plus(a, b) for a, b in zip(kept or [None] * len(gradients), gradients, strict=True)]
        # The other parts take part with factor 0: every process must see a gradient of every parameter.
        return (losses[0] * self.weights[0] + sum(losses[1:], losses[0] * 0) * 0.0) * SUM_SCALE

    def close(self, parameters: Sequence[nn.Parameter], lightning: float, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """Make the gradients of `parameters` those of the means.

        Args:
            parameters: those given to `add`.
            lightning: what Lightning divided the gradient by: micro-batches times processes.
            reduce: sums a tensor over all processes.

        Returns:
            (parts, 2), float64: the sums and numbers of targets of the whole window over all processes.
        """
        assert self.totals is not None
        totals = reduce(self.totals)
        if self._done:
            return totals
        targets = totals[:, 1].clamp(min=1e-12)
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_mul_(gradients, (lightning / SUM_SCALE / targets[0]).float())
        for kept, weight, count in zip(self._gradients, self.weights[1:], targets[1:], strict=True):
            for parameter, gradient in zip(parameters, kept, strict=bool(kept)):
                if gradient is not None:
                    share = reduce(gradient) * (weight / count).float()
                    parameter.grad = _plus(parameter.grad, share)
        return totals


def _plus(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return first if second is None else second
    return first + second
