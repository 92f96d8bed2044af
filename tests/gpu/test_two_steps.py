"""Each switch does on the device what it does on the CPU, two steps long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_support import ACCELERATOR, flat, holds, same, some, trainer
from switched import SGD, loader  # type: ignore[import-not-found]
from test_switches import AVERAGING, SWITCHES, classifier, state  # type: ignore[import-not-found]

from pretune.modules.callbacks import EqualWeightAveraging

ALSO: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "adamw": ({}, {"optimizer": "adamw", "learning_rate": 1e-3}),
    "muon": ({}, {"optimizer": "muon", "learning_rate": 1e-3}),
    "gradient_checkpointing": ({"gradient_checkpointing": True}, {}),
    "eager": ({"attention": "eager"}, {}),
}
ALL = {**ALSO, **SWITCHES}
TOLERANCE = {"adamw": 1e-2, "muon": 0.05}
"""Adam divides by a gradient that may be rounding alone; Muon's products are of bfloat16."""


def learned(name: str, weights: str, accelerator: str) -> torch.Tensor:
    """How far two steps move the weights."""
    backbone, options = ALL[name]
    model = classifier(weights, {"dropout": 0.0, **backbone}, **{**SGD, "learning_rate": 0.05, **options})
    start = state(model)
    averaging = {**AVERAGING, "swa": lambda: EqualWeightAveraging(start=1)}
    callbacks = [averaging[name]()] if name in averaging else []
    fitted = trainer(accelerator, max_steps=2, precision="32-true", callbacks=callbacks)
    fitted.fit(model, loader(2))
    assert fitted.global_step == 2
    return flat([value.cpu() - start[key].cpu() for key, value in state(model).items()])


@pytest.mark.parametrize("name", some(list(ALL), ["gradient_checkpointing", "lora", "ema", "muon", "r_drop"]))
def test_two_steps(name: str, encoder: Path) -> None:
    if name in ("lora", "adapter"):
        pytest.importorskip("peft")
    found, expected = (learned(name, str(encoder), accelerator) for accelerator in (ACCELERATOR, "cpu"))
    holds(found.isfinite().all())
    holds(expected.any())
    if name in ("dropout", "reinitialize_layers"):  # random numbers of another generator
        return
    error = (found - expected).norm() / expected.norm()
    holds(error <= TOLERANCE.get(name, 1e-4), float(error))
    if name == "gradient_checkpointing":
        same(found, learned("nothing", str(encoder), ACCELERATOR), 1e-5)
