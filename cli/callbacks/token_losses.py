"""Which tokens a language model knows: its loss by how often a token occurs, and by where it stands."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from ...contracts import IGNORED, module_facts
from ...modules.callbacks.summary import add_to_summary
from .scored import scored

MOST_TARGETS = 50_000
"""Of an evaluation: enough for groups, and no more than seconds of work."""
PIECE = 1 << 24
"""Logits that are made float32 at a time."""
EDGES = [step * 10**power for power in range(9) for step in (1, 2, 5)]
"""Where groups of tokens begin, by how often they occur, and by how many tokens stand before them."""


class TokenLosses(Callback):
    """Adds `token_losses` to `summary.json`, of the validation whose weights are kept, and of a test.

    The logits of the evaluation are used, nothing is computed by the network again. How often a token occurs is
    counted among the targets that are looked at: the first 50,000.
    """

    def __init__(self) -> None:
        self._by_step: dict[int, dict[str, Any]] = {}
        self._clear()

    def _clear(self) -> None:
        self._tokens: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._positions: list[Tensor] = []
        self._count = 0

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clear()

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = scored(trainer).get("step", 0)
        self._clear()

    @override
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, loader: int = 0
    ) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking and not loader:
            self._take(pl_module, outputs)

    @override
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, loader: int = 0
    ) -> None:
        if not loader:
            self._take(pl_module, outputs)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._count:
            self._by_step[trainer.global_step] = self._entry("validation", trainer.global_step)
        self._clear()

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._by_step:
            kept = getattr(pl_module, "kept_step", None)
            step = kept if kept in self._by_step else max(self._by_step)
            add_to_summary(trainer, "token_losses", self._by_step[step])

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._count:
            add_to_summary(trainer, "token_losses", self._entry("test", self._step))
        self._clear()

    def _take(self, pl_module: LightningModule, outputs: Any) -> None:
        """Take the losses of a batch in."""
        part = module_facts(pl_module).perplexity_of
        output = outputs.get(part) if isinstance(outputs, dict) and part is not None else None
        if output is None or output.tokens is None or not output.outputs or self._count >= MOST_TARGETS:
            return
        (logits, *_), tokens = output.outputs, output.tokens
        rows = max(1, PIECE // logits.shape[-1])
        losses = [
            F.cross_entropy(piece.float(), right, reduction="none", ignore_index=IGNORED)
            for piece, right in zip(logits.split(rows), tokens.split(rows), strict=True)
        ]
        real = tokens != IGNORED
        self._tokens.append(tokens[real].cpu())
        self._losses.append(torch.cat(losses)[real].cpu())
        if output.positions is not None:
            self._positions.append(output.positions[real].cpu())
        self._count += len(self._tokens[-1])

    def _entry(self, stage: str, step: int) -> dict[str, Any]:
        """Return the losses of groups of tokens, as plain data."""
        tokens, losses = torch.cat(self._tokens), torch.cat(self._losses).double()
        _, places, counts = tokens.unique(return_inverse=True, return_counts=True)
        entry = {"stage": stage, "step": step, "targets": len(tokens), "by_frequency": _groups(counts[places], losses)}
        if len(positions := torch.cat(self._positions) if self._positions else tokens[:0]) == len(losses):
            entry["by_position"] = _groups(positions, losses)
        return entry


def _groups(values: Tensor, losses: Tensor) -> list[dict[str, Any]]:
    """Return the mean loss of targets whose values lie next to each other; the first group also holds what is below."""
    edges = torch.tensor(EDGES)
    places = (torch.bucketize(values, edges, right=True) - 1).clamp(min=0)
    sums = torch.zeros(len(edges), dtype=torch.float64).index_add_(0, places, losses)
    counts = places.bincount(minlength=len(edges))
    return [
        {"from": EDGES[i], "loss": float(sums[i] / counts[i]), "targets": int(counts[i])}
        for i in counts.nonzero().flatten().tolist()
    ]
