"""A checkpoint written on the device is read on the CPU and goes on there, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_support import ACCELERATOR, DEVICE, ROUNDING, holds, same, some, trainer
from safetensors.torch import load_file
from test_combinations import make  # type: ignore[import-not-found]
from test_invariances import collate, rows  # type: ignore[import-not-found]
from torch.utils.data import DataLoader

from pretune.checkpoints import read_checkpoint

CASES = [
    ("MaskedLanguageModeling", "bert"),
    ("ReplacedTokenDetection", "electra"),
    ("CausalLanguageModeling", "gpt2"),
    ("SpanDenoising", "t5"),
]


def fit(case: tuple[str, str], tokenizer: Any, accelerator: str, steps: int, resume: str | None = None) -> Any:
    """A module that was trained for so many steps in all; SGD, whose steps show the gradient's rounding and no more."""
    model = make(*case, tokenizer, optimizer="sgd", learning_rate=0.05, schedule="constant", warmup=0.0)
    fitted = trainer(accelerator, max_steps=steps, precision="32-true")
    torch.manual_seed(3)
    fitted.fit(model, DataLoader(rows(False, 4 * steps), 4, collate_fn=collate), ckpt_path=resume)  # type: ignore[arg-type]
    assert fitted.global_step == steps
    fitted.save_checkpoint("now.ckpt")
    return model


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("case", some(CASES, CASES[:1]), ids="-".join)
def test_from_one_to_the_other_and_back(case: tuple[str, str], tokenizer: Any) -> None:
    written = fit(case, tokenizer, ACCELERATOR, 2)
    saved = read_checkpoint("now.ckpt")
    same(saved["state_dict"], state(written))
    read = type(written).load_from_checkpoint("now.ckpt", map_location="cpu")
    assert {p.device.type for p in read.parameters()} == {"cpu"}
    same(state(read), state(written))

    Path("now.ckpt").rename("two.ckpt")
    on_cpu = state(fit(case, tokenizer, "cpu", 4, "two.ckpt"))
    on_device = state(fit(case, tokenizer, ACCELERATOR, 4, "two.ckpt"))
    same(on_device, on_cpu, ROUNDING)
    holds(any(not torch.equal(value, saved["state_dict"][name]) for name, value in on_cpu.items()))
    Path("now.ckpt").rename("four.ckpt")
    back = fit(case, tokenizer, "cpu", 5, "four.ckpt")
    again = type(back).load_from_checkpoint("now.ckpt", map_location=DEVICE)
    assert {p.device.type for p in again.parameters()} == {DEVICE.type}
    same(state(again), state(back))


@pytest.mark.parametrize("case", some(CASES, CASES[:1]), ids="-".join)
def test_exports_are_equal(case: tuple[str, str], tokenizer: Any) -> None:
    """Whichever device the weights are on, and the module that was loaded from them computes the same."""
    model = make(*case, tokenizer)
    model.build()
    model.eval()
    model.save_pretrained("from_cpu")
    model.to(DEVICE)
    model.save_pretrained("from_device")
    first, second = (load_file(f"{folder}/model.safetensors") for folder in ("from_cpu", "from_device"))
    same(second, first)
    assert Path("from_cpu/config.json").read_text() == Path("from_device/config.json").read_text()
    again = type(model)("from_device")
    again.build()
    assert {p.device.type for p in again.model.parameters()} == {"cpu"}
    same(dict(again.model.named_parameters()), dict(model.model.named_parameters()))
