"""The progress bar: what is learned and how fast, without bookkeeping."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from typing_extensions import override

from .history import loss_of_step
from .throughput import Throughput

READ_EVERY = 0.5
"""Seconds between two looks at the loss in training, each of which waits for the device."""


class RunProgressBar(RichProgressBar):
    """Lightning's rich bar with losses, validation scores, true tokens per second and the time left."""

    _shown: Mapping[str, str] = {}
    _read_at = 0.0

    @override
    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, str]:  # type: ignore[override]
        soon = time.monotonic() - self._read_at < READ_EVERY
        if soon and trainer.training and not trainer.fit_loop.epoch_loop.done:
            return dict(self._shown)
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        if trainer.training and (loss := loss_of_step(trainer)) is not None:
            shown = {"train/loss": float(loss), **shown}
        out = {name: f"{value:.3f}" if isinstance(value, float) else str(value) for name, value in shown.items()}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Throughput) and callback.tokens_per_second:
                out["tokens/s"] = f"{callback.tokens_per_second:,.0f}"
        self._shown, self._read_at = out, time.monotonic()
        return out
