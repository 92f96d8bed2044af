"""Losses and gradients in float32 are the CPU's, with and without shortcuts."""

from __future__ import annotations

from typing import Any

import pytest
import test_task_combinations as tasks  # type: ignore[import-not-found]
import torch
from gpu_support import DEVICE, ROUNDING, on_device, same
from test_combinations import batch_for, make  # type: ignore[import-not-found]
from test_shortcuts import result  # type: ignore[import-not-found]

from pretune.contracts import with_hints

OBJECTIVES = [
    ("MaskedLanguageModeling", "bert"),
    ("MaskedLanguageModeling", "modernbert"),
    ("MaskedLanguageModeling", "deberta-v2"),
    ("NextSentencePrediction", "bert"),
    ("NextSentencePrediction", "roberta"),
    ("SentenceOrderPrediction", "albert"),
    ("ReplacedTokenDetection", "electra"),
    ("CausalLanguageModeling", "gpt2"),
    ("CausalLanguageModeling", "llama"),
    ("CausalLanguageModeling", "mistral"),
    ("SpanDenoising", "t5"),
    ("SpanDenoising", "bart"),
]
TASKS = [
    ("TextClassification", "bert"),
    ("TextClassification", "llama"),
    ("TokenClassification", "modernbert"),
    ("QuestionAnswering", "bert"),
    ("MultipleChoice", "electra"),
    ("SequenceToSequence", "t5"),
    ("SequenceToSequence", "gpt2"),
    ("InstructionTuning", "llama"),
]


def built(name: str, backbone: str, tokenizer: Any) -> tuple[Any, dict[str, torch.Tensor]]:
    """An objective or a task, the same each time, and a batch for it."""
    if name in tasks.TASKS:
        model, batch = tasks.make(name, backbone, tokenizer), tasks.TASKS[name][2]()
    else:
        model = make(name, backbone, tokenizer)
        batch = batch_for(model)
    model.build()
    return model, batch


@pytest.mark.parametrize("full", [False, True], ids=["padded", "full"])
@pytest.mark.parametrize("case", [*OBJECTIVES, *TASKS], ids="-".join)
def test_the_gradient_is_the_cpus(case: tuple[str, str], full: bool, tokenizer: Any) -> None:
    plain, batch = built(*case, tokenizer)
    if full and "attention_mask" in batch:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    plain.shortcuts = False
    loss, gradients = result(plain, batch)
    assert gradients
    model, _ = built(*case, tokenizer)
    model.to(DEVICE)
    hinted = on_device(with_hints(batch))
    for shortcuts in (False, True):
        model.shortcuts = shortcuts
        model.take_shortcuts()
        found, mine = result(model, hinted)
        assert found.device == DEVICE
        assert {gradient.device for gradient in mine} == {DEVICE}
        same(found, loss, ROUNDING, f"loss, shortcuts {shortcuts}")
        same(mine, gradients, ROUNDING, f"gradient, shortcuts {shortcuts}")
