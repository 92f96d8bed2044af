"""Compiled layers compute what they are, and are compiled once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu_support import DEVICE, ON_CPU, flat, holds, on_device, same
from test_combinations import batch_for, make  # type: ignore[import-not-found]
from test_shortcuts import result  # type: ignore[import-not-found]

from pretune.contracts import IGNORED, with_hints
from pretune.modules.losses.vocabulary import vocabulary_loss


@pytest.mark.skipif(ON_CPU, reason="takes a minute")
@pytest.mark.parametrize(
    ("objective", "backbone", "half"),
    [("MaskedLanguageModeling", "bert", False), ("CausalLanguageModeling", "llama", True)],
)
def test_compiled(objective: str, backbone: str, half: bool, tokenizer: Any) -> None:
    found: list[Any] = []
    for compiled in (False, True):
        model = make(objective, backbone, tokenizer)
        model.backbone.compile = compiled
        model.build()
        model.to(DEVICE)
        model.take_shortcuts()
        batch = batch_for(model)
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
        hinted = on_device(with_hints(batch))
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
            result(model, hinted)
            with torch.compiler.set_stance("fail_on_recompile" if compiled else "default"):
                found.append(result(model, hinted))
    same(found[1][0], found[0][0], 1e-2 if half else 1e-5)
    error = (flat(found[1][1]) - flat(found[0][1])).norm() / flat(found[0][1]).norm()
    holds(error <= (0.05 if half else 1e-4), float(error))


@pytest.mark.skipif(ON_CPU, reason="takes half a minute")
def test_compiled_loss_over_a_vocabulary() -> None:
    """The kernels that are compiled for it compute what torch's do, for any number of rows."""
    generator = torch.Generator().manual_seed(0)
    for rows in (700, 64):
        logits = torch.randn(rows, 4096, generator=generator).bfloat16().to(DEVICE)
        targets = torch.randint(0, 4096, (rows,), generator=generator).to(DEVICE)
        targets[::5] = IGNORED
        found = []
        for compiled in (True, False):
            given = logits.clone().requires_grad_()
            loss, count, hits = vocabulary_loss(given, targets, plain=not compiled, compiled=compiled)
            loss.backward()
            found.append((loss.detach(), count, hits, given.grad))
        same(found[0][:1], found[1][:1], 1e-5)
        same(found[0][1:3], found[1][1:3])
        same(found[0][3], found[1][3], 0.01)
