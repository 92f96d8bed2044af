"""The progress bar: what is learned and how fast, without bookkeeping."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from typing_extensions import override


class RunProgressBar(RichProgressBar):
    """Lightning's rich bar with losses, validation scores, true tokens per second and the time left."""

    @override
    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, str]:  # type: ignore[override]
        shown = super().get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        speed = shown.pop("train/tokens_per_second", None)
        out = {name: f"{value:.3f}" if isinstance(value, float) else str(value) for name, value in shown.items()}
        if isinstance(speed, int | float):
            out["tokens/s"] = f"{speed:,.0f}"
        return out
