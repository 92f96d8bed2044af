"""Decay to the pretrained weights (L2-SP)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from switched import QUIET, SGD, batch, classifier, fit, loader, state  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    TextClassification,
)


def test_l2_sp_leads_back_to_the_pretrained_weights(weights: str) -> None:
    """One step of plain SGD by hand; the new head decays to 0 as usual."""
    options = {**SGD, "l2_sp": 0.5, "weight_decay": 0.2}
    model, moved = classifier(weights, **options), classifier(weights, **options)
    start = state(model)
    with torch.no_grad():
        for one, other in zip(model.parameters(), moved.parameters(), strict=True):
            drift = torch.randn_like(one)
            one.add_(drift)
            other.add_(drift)
    # As after an interruption: the weights have moved, where they started is known.
    model._start = {name: start[name.removeprefix("model.")].clone() for name in model.pretrained()}
    anchored = set(model._start)
    assert 0 < len(anchored) < len(start)
    moved.step(batch(), "train").loss.div(6).backward()
    fit(model, 1, gradient_clip_val=None)
    for name, parameter in moved.named_parameters():
        if parameter.grad is None:
            continue
        gradient, old, found = parameter.grad, parameter.detach(), dict(model.named_parameters())[name].detach()
        if name in anchored:
            stepped = old - 0.1 * gradient
            expected = stepped + 0.05 * (start[name.removeprefix("model.")] - stepped)
        else:
            expected = old - 0.1 * (gradient + (0.2 if old.ndim > 1 else 0.0) * old)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3, msg=lambda m, name=name: name + m)


def test_l2_sp_goes_on_from_where_training_started(weights: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"l2_sp": 50.0, "learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0}
    whole = classifier(weights, **options)
    fit(whole, 4)
    first = classifier(weights, **options)
    fit(first, 2).save_checkpoint(tmp_path / "last.ckpt")
    resumed = TextClassification(Backbone(weights, dropout=0.0), labels=["a", "b", "c"], **options)
    Trainer(max_steps=4, **QUIET).fit(resumed, loader(4), ckpt_path=str(tmp_path / "last.ckpt"))
    for (name, one), other in zip(state(whole).items(), state(resumed).values(), strict=True):
        torch.testing.assert_close(other, one, atol=0, rtol=0, msg=name)
    weak = classifier(weights, **{**options, "l2_sp": 0.0, "weight_decay": 0.0})
    start = state(weak)
    fit(weak, 4)

    def distance(model: Any) -> float:
        return sum(float((p - start[n]).norm()) for n, p in state(model).items() if f"model.{n}" in whole._start)

    assert distance(whole) < 0.9 * distance(weak)


def test_l2_sp_needs_pretrained_weights(tokenizer: Any, tiny: dict[str, Any]) -> None:
    model = TextClassification(Backbone(config=tiny), labels=["a", "b", "c"], l2_sp=0.1)
    model.tokenizer = tokenizer
    with pytest.raises(InputError, match="there are none that learn"):
        fit(model, 1)
