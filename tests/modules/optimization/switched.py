"""A small classifier on weights of each family, for tests of switches that shape its training."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from test_combinations import tokens  # type: ignore[import-not-found]
from torch import Tensor
from torch.utils.data import DataLoader

from pretune.modules import Backbone, TextClassification

FAMILIES = ("bert", "llama", "t5", "bart")


QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


SGD: dict[str, Any] = {"optimizer": "sgd", "schedule": "constant", "warmup": 0.0, "learning_rate": 0.1}


def batch() -> dict[str, Tensor]:
    return {**tokens(), "labels": torch.arange(6) % 3}


def loader(steps: int) -> Any:
    return DataLoader([batch()] * steps, batch_size=None)


def classifier(weights: str, dropout: float = 0.0, **options: Any) -> TextClassification:
    torch.manual_seed(0)
    model = TextClassification(Backbone(weights, dropout=dropout), labels=["a", "b", "c"], **options)
    model.build()
    sharpen(model)
    return model


def sharpen(model: Any) -> None:
    """Untrained networks find all classes alike, where neither smoothing nor dropout would show."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.ndim > 1:
                parameter.mul_(3)


def fit(model: Any, steps: int, *callbacks: Callback, **options: Any) -> Trainer:
    trainer = Trainer(max_steps=steps, callbacks=list(callbacks), **{**QUIET, **options})
    trainer.fit(model, loader(steps))
    return trainer


def state(model: Any) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.model.named_parameters()}
