"""True tokens per second, and how much of a batch is padding."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override


class Throughput(Callback):
    """Logs `train/tokens_per_second`, `train/padding_fraction` and `train/learning_rate` as often as the trainer logs.

    Tokens are counted on the device and read only when they are logged, so that no step waits for it. Time spent in
    validation does not count.
    """

    def __init__(self) -> None:
        self._tokens: torch.Tensor | None = None
        self._places = 0
        self._since = time.perf_counter()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reset()

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reset()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if isinstance(batch, dict) and "segment_a" in batch:
            parts = [batch["segment_a"], batch["segment_b"]]
            tokens, places = sum((part >= 0).sum() for part in parts), sum(part.numel() for part in parts)
        elif isinstance(batch, dict) and "input_ids" in batch:
            places, mask = batch["input_ids"].numel(), batch.get("attention_mask")
            tokens = mask.sum() if mask is not None else torch.tensor(places, device=batch["input_ids"].device)
        else:
            return  # somebody else's module
        self._tokens = tokens if self._tokens is None else self._tokens + tokens
        self._places += places
        # The very batch after which the loggers write.
        if (trainer.fit_loop.epoch_loop._batches_that_stepped + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            true = float(self._tokens) * trainer.world_size
            seconds = time.perf_counter() - self._since
            pl_module.log("train/tokens_per_second", true / seconds, prog_bar=True, batch_size=1)
            pl_module.log("train/padding_fraction", 1 - true / trainer.world_size / self._places, batch_size=1)
            pl_module.log("train/learning_rate", trainer.optimizers[0].param_groups[-1]["lr"], batch_size=1)
            self._reset()

    def _reset(self) -> None:
        self._tokens, self._places, self._since = None, 0, time.perf_counter()
