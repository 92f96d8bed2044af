"""Compiled layers compute what they are, and are compiled once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu_support import DEVICE, ON_CPU, flat, holds, on_device, same
from test_combinations import batch_for, make  # type: ignore[import-not-found]
from test_shortcuts import result  # type: ignore[import-not-found]

from pretune.hints import with_hints


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
