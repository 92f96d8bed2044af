"""Packed documents are what they are alone: side by side in float32, by FlashAttention's kernel in half precision.

So are rows whose padding is left out, and so is the kernel's dropout.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu_support import DEVICE, NULL, ON_CPU, ROUNDING, flat, holds, on_device, same
from test_packed_attention import documents, make, run  # type: ignore[import-not-found]
from torch import Tensor

from pretune.contracts import with_hints
from pretune.modules.shortcuts import varlen_attention
from pretune.modules.shortcuts.packed_attention import prefer_own_attention
from pretune.modules.shortcuts.unpadding import leave_out_padding, unpadding_inputs

BACKBONES = ["bert", "modernbert", "gpt2", "llama", "mistral"]  # two of them with windows shorter than a document
HALF = [torch.bfloat16] if ON_CPU else [torch.bfloat16, torch.float16]


@pytest.fixture
def kernel_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each call of the kernel."""
    kernel, calls = varlen_attention.varlen_attention, []
    monkeypatch.setattr(varlen_attention, "varlen_attention", lambda *a, **k: calls.append(1) or kernel(*a, **k))
    return calls


def parts(seed: int = 0) -> list[Tensor]:
    return [part.to(DEVICE) for part in documents(seed)]


def alone(model: Any, part: Tensor) -> Tensor:
    logits: Tensor = model(input_ids=part[None], attention_mask=torch.ones_like(part)[None]).logits[0]
    return logits


def learned(model: Any, logits: Any) -> Tensor:
    """The gradient of some loss."""
    model.zero_grad(set_to_none=False)
    torch.cat(tuple(logits)).float().square().mean().backward()
    return flat([p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()])


@pytest.mark.parametrize("checkpointing", [False, True], ids=["", "checkpointing"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_in_float32(backbone: str, checkpointing: bool, kernel_calls: list[int]) -> None:
    model = make(backbone, gradient_checkpointing=checkpointing).to(DEVICE).train()
    plain = make(backbone).to(DEVICE).train()
    packed, single = run(model, parts()), [alone(plain, part) for part in parts()]
    same(list(packed), single, ROUNDING)
    same(learned(model, packed), learned(plain, single), ROUNDING)
    assert not kernel_calls


@pytest.mark.parametrize("half", HALF, ids=str)
@pytest.mark.parametrize("mixed", [False, True], ids=["whole", "mixed"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_in_half_precision(backbone: str, mixed: bool, half: torch.dtype, kernel_calls: list[int]) -> None:
    """Rounding costs packed documents no more than it costs those in rows of their own."""
    exact = make(backbone).to(DEVICE)
    right = [alone(exact, part) for part in parts()]
    found = [(flat(right), learned(exact, right))]
    for packed in (False, True):
        model = make(backbone).to(DEVICE)
        model = model if mixed else model.to(half)
        with torch.autocast(DEVICE.type, half, enabled=mixed):
            logits = list(run(model, parts())) if packed else [alone(model, part) for part in parts()]
        found.append((flat(logits), learned(model, logits)))
    assert ON_CPU or len(kernel_calls) == model.config.num_hidden_layers  # rotated queries too
    for expected, single, mine in zip(*found, strict=True):
        error, usual = ((one - expected).norm() / expected.norm() for one in (mine, single))
        holds(error <= 2 * usual, (float(error), float(usual)))
        holds(error < 0.05, float(error))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_none_sees_another(backbone: str, kernel_calls: list[int]) -> None:
    """Whatever one document is, the logits of the others are the same, bit for bit."""
    model = make(backbone).to(DEVICE)
    with torch.no_grad(), torch.autocast(DEVICE.type, torch.bfloat16):
        before = run(model, parts())
        for changed in range(len(before)):
            after = run(model, [parts(1)[i] if i == changed else part for i, part in enumerate(parts())])
            assert NULL or [bool(torch.equal(*pair)) for pair in zip(before, after, strict=True)] == [
                i != changed for i in range(len(before))
            ]
    assert ON_CPU or kernel_calls


@pytest.mark.parametrize("backbone", ["bert", "roberta", "distilbert", "modernbert"])
def test_rows_whose_padding_is_left_out(backbone: str, kernel_calls: list[int]) -> None:
    """In training, in half precision; the number of tokens is told with the batch."""
    lengths = torch.tensor([19, 4, 11])
    mask = (torch.arange(19) < lengths[:, None]).long()
    ids = torch.randint(5, 90, mask.shape, generator=torch.Generator().manual_seed(1)).masked_fill(mask == 0, 1)
    batch = on_device(with_hints({"input_ids": ids, "attention_mask": mask}))
    found, there = [], batch["attention_mask"].bool()
    for half, unpadded in ((False, False), (True, False), (True, True)):
        model = make(backbone).to(DEVICE).train()
        if unpadded:
            prefer_own_attention(model)
            leave_out_padding(model)
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
            logits = model(**inputs, **unpadding_inputs(model, batch)).logits
        kept = logits.masked_fill(~there.unsqueeze(-1), 0)
        found.append((flat([kept]), learned(model, [kept.flatten(0, 1)])))
    assert ON_CPU or len(kernel_calls) == model.config.num_hidden_layers
    for expected, padded, mine in zip(*found, strict=True):
        error, usual = ((one - expected).norm() / expected.norm() for one in (mine, padded))
        holds(error <= 2 * usual, (float(error), float(usual)))


@pytest.mark.skipif(ON_CPU, reason="there is no such kernel for a CPU")
def test_dropout_of_the_kernel() -> None:
    """It is what is trusted, a part of the probabilities is left out, and the rest is scaled up."""
    holds(varlen_attention._dropout_fault(DEVICE) is None, varlen_attention._dropout_fault(DEVICE))
    query, key = torch.randn(2, 4096, 2, 64, device=DEVICE).bfloat16().unbind()
    ones = torch.ones_like(query)
    bounds = torch.tensor([0, 1000, 4096], dtype=torch.int32, device=DEVICE)
    found = varlen_attention.varlen_attention(query, key, ones, bounds, 3096, dropout=0.25).float()
    holds(abs(float(found.mean()) - 1) < 0.01, float(found.mean()))
    holds(0 < float(found.std()) < 0.5, float(found.std()))
