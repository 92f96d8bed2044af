"""What keeps one bad batch from spoiling the weights, and a run that has broken from going on as if it had not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from .spikes import Spikes

READ_EVERY = 10
"""Steps between two looks at what was counted, at what it was the time before: nothing waits for a GPU."""


class NumericGuard:
    """Counts the steps whose loss or gradient is not finite, and leaves them out.

    The loss is that of all processes and the gradient their mean, so that all of them count, and decide, alike.

    Args:
        limit: steps in a row that are too many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spikes = Spikes()
        self._counts: Tensor | None = None  # (4,), int64: in a row, most in a row, all, first of the latest row
        self._read_counts = [0, 0, 0, 0]
        self._restored = [0, 0, 0, 0]
        self._copy: tuple[Tensor, Tensor, int, torch.cuda.Event | None] | None = None
        self._waiting: list[Tensor] = []
        self._step = 0

    def look(self, step: int, loss: Tensor, norm: Tensor) -> Tensor:
        """Take down a step.

        Args:
            step: its number.
            loss: scalar, over all processes.
            norm: scalar, of the gradient; a constant where only the loss is to count.

        Returns:
            Scalar, boolean: whether it is to be left out.
        """
        if self._counts is None:
            self._counts = torch.tensor(self._restored, device=loss.device)
        bad = ~torch.isfinite(loss.float() + norm.float())
        row, most, total, first = self._counts.unbind()
        row = (row + 1) * bad
        first = torch.where(row == 1, step, first)
        self._counts = torch.stack((row, torch.maximum(most, row), total + bad, first))
        self._waiting.append(loss.detach().float())
        self._step = step
        return bad

    def read(self, now: bool = False) -> None:
        """Take over what was counted: what is already there, or all of it where it is wanted `now`."""
        if self._counts is None or (not now and len(self._waiting) < READ_EVERY):
            return
        losses = torch.stack(self._waiting) if self._waiting else torch.zeros(0, device=self._counts.device)
        before, self._copy, self._waiting = self._copy, None, []
        if before is not None and before[3] is not None:
            before[3].synchronize()  # copied many steps ago
        if now:
            self._take(self._counts, losses if before is None else torch.cat((before[1], losses.cpu())), self._step)
            return
        if before is not None:
            self._take(*before[:3])
        event = torch.cuda.Event() if losses.is_cuda else None
        counts, losses = (tensor.to("cpu", non_blocking=True) for tensor in (self._counts, losses))
        self._copy = counts, losses, self._step, event
        if event is not None:
            event.record()

    def _take(self, counts: Tensor, losses: Tensor, last: int) -> None:
        self._read_counts = counts.tolist()
        for place, loss in enumerate(values := losses.tolist()):
            self.spikes.add(last - len(values) + 1 + place, loss)

    @property
    def broken(self) -> bool:
        """Whether too many steps in a row were left out, as far as was read."""
        return 0 < self.limit <= self._read_counts[1]

    @property
    def most(self) -> int:
        """The longest row of steps that were left out, as far as was read."""
        return self._read_counts[1]

    @property
    def left_out(self) -> int:
        """How many steps were left out, as far as was read."""
        return self._read_counts[2]

    @property
    def first(self) -> int:
        """The step with which the latest row of them began."""
        return self._read_counts[3]

    def state(self) -> list[int]:
        """Return what a checkpoint holds of its counts; waits for the device."""
        return self._counts.tolist() if self._counts is not None else self._restored

    def spikes_state(self) -> dict[str, Any]:
        """Return what a checkpoint holds of spikes; waits for the device."""
        self.read(now=True)
        return self.spikes.state()

    def restore(self, state: Sequence[int], spikes: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._restored = self._read_counts = list(state)
        self._counts, self._copy, self._waiting = None, None, []
        self.spikes.restore(spikes)


def leave_out(optimizer: Optimizer, bad: Tensor, divided: bool) -> None:
    """Make the coming step of an optimizer none where `bad`, without a GPU being waited for.

    The fused AdamW leaves a step out by itself. Of other optimizers on a GPU the step is one with a gradient of zero.

    Args:
        optimizer: with its gradients.
        bad: scalar, boolean.
        divided: whether parameters are divided over devices.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if isinstance(optimizer, AdamW) and optimizer.defaults.get("fused") and not divided:
        optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
    elif bad.device.type == "cpu":
        if bad:
            for parameter in parameters:
                parameter.grad = None
    else:
        for parameter in parameters:
            parameter.grad.masked_fill_(bad, 0.0)


def all_finite(networks: Sequence[nn.Module]) -> bool:
    """Return whether every weight (of this process) is a finite number; waits for the device once."""
    from torch.distributed.tensor import DTensor

    weights = [p.detach() for network in networks for p in network.parameters() if p.is_floating_point()]
    own = [weight.to_local() if isinstance(weight, DTensor) else weight for weight in weights]
    own = [weight for weight in own if weight.numel()]
    norms = torch._foreach_norm(own, float("inf")) if own else ()
    return not norms or bool(torch.stack([norm.float().isfinite().to(norms[0].device) for norm in norms]).all())
