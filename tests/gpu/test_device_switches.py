"""Each switch does on the device what it does on the CPU, two steps long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_support import ACCELERATOR, DEVICE, ON_CPU, flat, holds, on_device, same, some, trainer
from test_combinations import batch_for, make  # type: ignore[import-not-found]
from test_optimization import SGD, loader  # type: ignore[import-not-found]
from test_shortcuts import result  # type: ignore[import-not-found]
from test_switches import AVERAGING, SWITCHES, classifier, state  # type: ignore[import-not-found]

from pretune.hints import with_hints
from pretune.modules.callbacks import EqualWeightAveraging
from pretune.modules.layers.vocabulary_loss import IGNORED, vocabulary_loss

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


@pytest.mark.skipif(ON_CPU, reason="takes a minute")
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "case", [("MaskedLanguageModeling", "bert"), ("CausalLanguageModeling", "llama")], ids="-".join
)
def test_compiled(case: tuple[str, str], half: bool, tokenizer: Any) -> None:
    """What it was, in layers that are compiled once."""
    found: list[Any] = []
    for compiled in (False, True):
        model = make(*case, tokenizer)
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
