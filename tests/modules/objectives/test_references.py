"""Losses and gradients against the Hugging Face heads on the same corrupted input, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from test_combinations import WORKS, batch_for, make, total  # type: ignore[import-not-found]
from torch import Tensor, nn

from pretune.modules.layers.hashing import row_keys, uniform
from pretune.modules.layers.pairs import join_pairs
from pretune.modules.layers.rows import Rows
from pretune.modules.objectives.next_sentence import _FLIP


@contextmanager
def seen(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """The inputs that a network was called with."""
    kept: dict[str, Tensor] = {}
    handle = network.register_forward_pre_hook(lambda module, args, inputs: kept.update(inputs), with_kwargs=True)
    try:
        yield kept
    finally:
        handle.remove()


def gradients(loss: Tensor, network: nn.Module) -> dict[str, Tensor]:
    network.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None and p.grad.any()}


def equal(mine: tuple[Tensor, dict[str, Tensor]], theirs: tuple[Tensor, dict[str, Tensor]]) -> None:
    torch.testing.assert_close(mine[0], theirs[0], atol=1e-5, rtol=1e-5)
    assert mine[1]
    assert mine[1].keys() == theirs[1].keys()
    for name, gradient in theirs[1].items():
        torch.testing.assert_close(mine[1][name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def ours(model: Any, batch: dict[str, Tensor]) -> tuple[tuple[Tensor, dict[str, Tensor]], dict[str, Tensor]]:
    """Loss and gradients of the objective, and what its network read."""
    with seen(model.model) as inputs:
        loss = total(model, batch)
    return (loss, gradients(loss, model.model)), inputs


def built(objective: str, backbone: str, tokenizer: Any, **options: Any) -> Any:
    model = make(objective, backbone, tokenizer, **options)
    model.build()
    return model


def of(objective: str) -> list[str]:
    return [backbone for name, backbone in WORKS if name == objective]


@pytest.mark.parametrize("backbone", of("MaskedLanguageModeling"))
@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_masked(masking: str, backbone: str, tokenizer: Any) -> None:
    model = built("MaskedLanguageModeling", backbone, tokenizer, mask_probability=0.3, masking=masking)
    batch = batch_for(model)
    if masking != "token":
        batch["word_ids"] = torch.arange(18).expand(6, -1) // 2
    mine, inputs = ours(model, batch)
    _, chosen, _ = model.mask(Rows(batch, 0), "val")
    labels = batch["input_ids"].masked_fill(~chosen, -100)
    loss = model.model(**inputs, labels=labels).loss
    equal(mine, (loss, gradients(loss, model.model)))


@pytest.mark.parametrize("backbone", of("CausalLanguageModeling"))
def test_causal(backbone: str, tokenizer: Any) -> None:
    model = built("CausalLanguageModeling", backbone, tokenizer)
    batch = batch_for(model)
    mine, inputs = ours(model, batch)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    loss = model.model(**inputs, labels=labels).loss
    equal(mine, (loss, gradients(loss, model.model)))


@pytest.mark.parametrize("objective", ["NextSentencePrediction", "SentenceOrderPrediction"])
@pytest.mark.parametrize("backbone", ["bert", "mobilebert", "albert"])
def test_pairs(objective: str, backbone: str, tokenizer: Any) -> None:
    """`BertForPreTraining` and its kin: the mean over masked tokens plus the mean over pairs."""
    model = built(objective, backbone, tokenizer, mask_probability=0.3)
    batch = batch_for(model)
    mine, inputs = ours(model, batch)
    true = join_pairs(batch["segment_a"], batch["segment_b"], model.frame, 0)
    flip = uniform(row_keys(true["input_ids"], true["attention_mask"], 0)[:, :1], _FLIP) < 0.5
    assert 0 < flip.sum() < len(flip)
    rows = Rows(join_pairs(*model.pairs(batch, flip), model.frame, 0), 0)
    _, chosen, _ = model.mask(rows, "val")
    labels = rows.ids.masked_fill(~chosen, -100)
    name = "sentence_order_label" if backbone == "albert" else "next_sentence_label"
    loss = model.model(**inputs, labels=labels, **{name: flip.squeeze(1).long()}).loss
    equal(mine, (loss, gradients(loss, model.model)))


def test_electra(tokenizer: Any) -> None:
    """`ElectraForMaskedLM` plus 50 times `ElectraForPreTraining`."""
    model = built("ReplacedTokenDetection", "electra", tokenizer, mask_probability=0.3)
    batch = batch_for(model)
    with seen(model.model) as fake, seen(model.generator) as masked:
        loss = total(model, batch)
    mine = (loss, gradients(loss, model))
    _, chosen, _ = model.mask(Rows(batch, 0), "val")
    generator = model.generator(**masked, labels=batch["input_ids"].masked_fill(~chosen, -100)).loss
    replaced = (fake["input_ids"] != batch["input_ids"]).long()
    assert replaced.sum() > 5
    plain = generator + 50 * model.model(**fake, labels=replaced).loss
    equal(mine, (plain, gradients(plain, model)))


@pytest.mark.parametrize("backbone", of("SpanDenoising"))
@pytest.mark.parametrize("corruption", ["sentinels", "infilling"])
def test_denoising(corruption: str, backbone: str, tokenizer: Any) -> None:
    model = built("SpanDenoising", backbone, tokenizer, corruption=corruption)
    batch = batch_for(model)
    mine, inputs = ours(model, batch)
    ids, mask, labels = model.corrupt(batch, "val")
    assert torch.equal(ids, inputs["input_ids"])
    loss = model.model(input_ids=ids, attention_mask=mask.long(), labels=labels).loss
    equal(mine, (loss, gradients(loss, model.model)))
