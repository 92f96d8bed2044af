"""Gradual unfreezing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from switched import batch, classifier, fit, state  # type: ignore[import-not-found]

from pretune.modules import (
    Backbone,
    TextClassification,
)
from pretune.modules.backbone.depth import parameter_depths


class Watch(Callback):
    """Notes, at each step, who has a gradient."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.seen.append({name for name, p in pl_module.model.named_parameters() if p.grad is not None})


def test_gradual_unfreezing_wakes_layers_from_the_top(weights: str) -> None:
    model, watch = classifier(weights, gradual_unfreezing=4, warmup=0.0), Watch()
    depths, top = parameter_depths(model.model)
    start, used = state(model), set()
    model.step(batch(), "train").loss.backward()
    used = {name for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    fit(model, 6, watch)
    for step, learning in enumerate(watch.seen):
        assert learning == {name for name in used if (top - depths[name]) / top * 4 <= step}, step
    assert {depths[name] for name in watch.seen[0]} == {top}
    assert watch.seen[-1] == used
    assert all(p.requires_grad for p in model.model.parameters())
    moved = {name for name, p in state(model).items() if not torch.equal(p, start[name])}
    assert used <= moved | {name for name in used if start[name].abs().sum() == 0 and name not in moved}

    short = classifier(weights, gradual_unfreezing=100, warmup=0.0)
    start = state(short)
    fit(short, 3)
    assert {depths[n] for n, p in state(short).items() if not torch.equal(p, start[n])} == {top}


def test_gradual_unfreezing_leaves_frozen_what_is_frozen(encoder: Path) -> None:
    model = TextClassification(Backbone(str(encoder), freeze=1), labels=["a", "b", "c"], gradual_unfreezing=0.5)
    model.build()
    frozen = {name for name, p in model.model.named_parameters() if not p.requires_grad}
    start = state(model)
    fit(model, 4)
    assert frozen == {name for name, p in model.model.named_parameters() if not p.requires_grad}
    assert all(torch.equal(p, start[name]) for name, p in state(model).items() if name in frozen)
