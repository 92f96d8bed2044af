"""Losses and gradients against the Hugging Face heads on the same corrupted input, in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from test_combinations import WORKS, batch_for, make, total  # type: ignore[import-not-found]
from torch import Tensor, nn

from pretune.contracts.random_streams import SEGMENT_SWAP
from pretune.modules.batches.padded_rows import PaddedRows
from pretune.modules.corruption.hashing import row_keys, uniform
from pretune.modules.corruption.pairs import join_pairs


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


Inputs = dict[str, Tensor]


def ours(model: Any, batch: Inputs) -> tuple[tuple[Tensor, Inputs], Inputs, Inputs]:
    """Loss and gradients of the objective, and what its network and its generator (if it has one) read."""
    with seen(model.model) as inputs, seen(getattr(model, "generator", model.model)) as masked:
        loss = total(model, batch)
    return (loss, gradients(loss, model)), inputs, masked


def built(objective: str, backbone: str, tokenizer: Any, **options: Any) -> Any:
    model = make(objective, backbone, tokenizer, **options)
    model.build()
    return model


def of(objective: str) -> list[str]:
    return [backbone for name, backbone in WORKS if name == objective]


# ---------------------------------------------------------------------- by the heads of transformers


def masked(model: Any, batch: Inputs, inputs: Inputs, _: Inputs) -> Tensor:
    _, chosen, _ = model.mask(PaddedRows(batch, 0), "val")
    return model.model(**inputs, labels=batch["input_ids"].masked_fill(~chosen, -100)).loss  # type: ignore[no-any-return]


def causal(model: Any, batch: Inputs, inputs: Inputs, _: Inputs) -> Tensor:
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    return model.model(**inputs, labels=labels).loss  # type: ignore[no-any-return]


def pairs(model: Any, batch: Inputs, inputs: Inputs, _: Inputs) -> Tensor:
    """`BertForPreTraining` and its kin: the mean over masked tokens plus the mean over pairs."""
    true = join_pairs(batch["segment_a"], batch["segment_b"], model.frame, 0)
    flip = uniform(row_keys(true["input_ids"], true["attention_mask"], 0)[:, :1], SEGMENT_SWAP) < 0.5
    assert 0 < flip.sum() < len(flip)
    rows = PaddedRows(join_pairs(*model.pairs(batch, flip), model.frame, 0), 0)
    _, chosen, _ = model.mask(rows, "val")
    labels = rows.ids.masked_fill(~chosen, -100)
    name = "sentence_order_label" if model.model.config.model_type == "albert" else "next_sentence_label"
    return model.model(**inputs, labels=labels, **{name: flip.squeeze(1).long()}).loss  # type: ignore[no-any-return]


def electra(model: Any, batch: Inputs, fake: Inputs, masked: Inputs) -> Tensor:
    """`ElectraForMaskedLM` plus 50 times `ElectraForPreTraining`."""
    _, chosen, _ = model.mask(PaddedRows(batch, 0), "val")
    generator = model.generator(**masked, labels=batch["input_ids"].masked_fill(~chosen, -100)).loss
    replaced = (fake["input_ids"] != batch["input_ids"]).long()
    return generator + 50 * model.model(**fake, labels=replaced).loss  # type: ignore[no-any-return]


def denoising(model: Any, batch: Inputs, inputs: Inputs, _: Inputs) -> Tensor:
    ids, mask, labels = model.corrupt(batch, "val")
    return model.model(input_ids=ids, attention_mask=mask.long(), labels=labels).loss  # type: ignore[no-any-return]


REFERENCES: dict[str, Callable[[Any, Inputs, Inputs, Inputs], Tensor]] = {
    "MaskedLanguageModeling": masked,
    "CausalLanguageModeling": causal,
    "NextSentencePrediction": pairs,
    "SentenceOrderPrediction": pairs,
    "ReplacedTokenDetection": electra,
    "SpanDenoising": denoising,
}


def compare(objective: str, model: Any, batch: Inputs) -> tuple[Inputs, Inputs]:
    """Asserts that both are one; returns what the networks read."""
    mine, *read = ours(model, batch)
    loss = REFERENCES[objective](model, batch, *read)
    equal(mine, (loss, gradients(loss, model)))
    return read[0], read[1]


@pytest.mark.parametrize("backbone", of("MaskedLanguageModeling"))
@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_masked(masking: str, backbone: str, tokenizer: Any) -> None:
    model = built("MaskedLanguageModeling", backbone, tokenizer, mask_probability=0.3, masking=masking)
    batch = batch_for(model)
    if masking != "token":
        batch["word_ids"] = torch.arange(18).expand(6, -1) // 2
    compare("MaskedLanguageModeling", model, batch)


@pytest.mark.parametrize("backbone", of("CausalLanguageModeling"))
def test_causal(backbone: str, tokenizer: Any) -> None:
    model = built("CausalLanguageModeling", backbone, tokenizer)
    compare("CausalLanguageModeling", model, batch_for(model))


@pytest.mark.parametrize("objective", ["NextSentencePrediction", "SentenceOrderPrediction"])
@pytest.mark.parametrize("backbone", ["bert", "mobilebert", "albert"])
def test_pairs(objective: str, backbone: str, tokenizer: Any) -> None:
    model = built(objective, backbone, tokenizer, mask_probability=0.3)
    compare(objective, model, batch_for(model))


def test_electra(tokenizer: Any) -> None:
    model = built("ReplacedTokenDetection", "electra", tokenizer, mask_probability=0.3)
    batch = batch_for(model)
    fake, _ = compare("ReplacedTokenDetection", model, batch)
    assert (fake["input_ids"] != batch["input_ids"]).sum() > 5


@pytest.mark.parametrize("backbone", of("SpanDenoising"))
@pytest.mark.parametrize("corruption", ["sentinels", "infilling"])
def test_denoising(corruption: str, backbone: str, tokenizer: Any) -> None:
    model = built("SpanDenoising", backbone, tokenizer, corruption=corruption)
    batch = batch_for(model)
    inputs, _ = compare("SpanDenoising", model, batch)
    assert torch.equal(model.corrupt(batch, "val")[0], inputs["input_ids"])
