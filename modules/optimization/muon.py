"""Muon for the matrices of hidden layers, and AdamW for all else, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import AdamW, Optimizer


class MuonWithAdamW(Optimizer):
    """PyTorch's Muon (Jordan et al. 2024) where a group says `hidden`, its AdamW elsewhere.

    Muon's updates are scaled to the size of AdamW's (arXiv 2502.16982), so that one learning rate serves both. The two
    work on the groups and the state of this one: schedules, clipping and checkpoints see a single optimizer.

    Args:
        groups: with `params`, `lr`, `weight_decay` and `hidden`; the parameters of hidden groups are matrices.
        betas: AdamW's averaging factors.
        momentum: Muon's.
        fused: whether AdamW's step is.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        betas: tuple[float, float],
        momentum: float = 0.95,
        fused: bool = False,
    ) -> None:
        parts = [[group for group in groups if group["hidden"] is hidden] for hidden in (True, False)]
        nothing = torch.nn.Parameter(torch.zeros(1, 1))  # optimizers refuse to be made of none
        self._muon = torch.optim.Muon(
            [{"params": [nothing]}], momentum=momentum, nesterov=True, adjust_lr_fn="match_rms_adamw"
        )
        self._adamw = AdamW([{"params": [nothing]}], betas=betas, fused=fused)
        filled = [
            {**inner.defaults, **group}
            for inner, part in zip((self._muon, self._adamw), parts, strict=True)
            for group in part
        ]
        super().__init__(filled, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step of both."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for inner, hidden in ((self._muon, True), (self._adamw, False)):
            inner.state = self.state
            inner.param_groups = [group for group in self.param_groups if group["hidden"] is hidden]
            if inner.param_groups:
                inner.step()
        return loss
