from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pretune.contracts import with_hints
from pretune.modules import Backbone
from pretune.modules.shortcuts.packed_attention import prefer_own_attention
from pretune.modules.shortcuts.unpadding import _attention_of, computes_no_padding, leave_out_padding, unpadding_inputs

CANNOT = ("deberta-v2", "mobilebert")
ABLE = [b for b, (family, _) in BACKBONES.items() if family == "encoder" and b not in CANNOT]
LENGTHS = (11, 4, 7)


def make(backbone: str, auto: str = "AutoModelForMaskedLM", unpadded: bool = False, **options: Any) -> Any:
    torch.manual_seed(0)
    sizes = {**BACKBONES[backbone][1], "vocab_size": 128, "pad_token_id": 1}
    if backbone == "modernbert":
        sizes["local_attention"] = 8  # smaller than the longest row
    model, _ = Backbone(config={"model_type": backbone, **sizes}, dropout=0.0, **options).build(auto, None)
    if unpadded:
        prefer_own_attention(model)
        leave_out_padding(model)
    return model.train()


def rows(lengths: tuple[int, ...] = LENGTHS, left: bool = False) -> dict[str, Tensor]:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    mask = mask.flip(1) if left else mask
    ids = torch.randint(5, 90, mask.shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids.masked_fill(mask == 0, 1), "attention_mask": mask}


def active(model: Any) -> bool:
    return computes_no_padding(model.base_model)


def assert_same(model: Any, plain: Any, batch: dict[str, Tensor]) -> None:
    """Logits of tokens, and the gradients of a loss on them."""
    there = batch["attention_mask"].bool()
    found, expected = (m(**batch).logits[there] for m in (model, plain))
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=1e-5)
    found.square().sum().backward()
    expected.square().sum().backward()
    for (name, mine), theirs in zip(model.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("backbone", ABLE)
def test_nothing_changes(backbone: str, left: bool) -> None:
    model = make(backbone, unpadded=True)
    assert active(model)
    assert_same(model, make(backbone), rows(left=left))


@pytest.mark.parametrize("backbone", ABLE)
def test_as_many_tokens_as_a_row_is_long(backbone: str) -> None:
    """Of rows that are padded to more than the longest one has: what was taken out looks like a row."""
    batch = {
        key: torch.nn.functional.pad(value, (0, 6), value=key == "input_ids") for key, value in rows((10, 6)).items()
    }
    assert_same(make(backbone, unpadded=True), make(backbone), batch)


def test_a_mask_of_other_numbers() -> None:
    """What is not 0 is a token; some number documents so."""
    model, plain, batch = make("bert", unpadded=True), make("bert"), rows()
    numbered = {**batch, "attention_mask": batch["attention_mask"] * torch.tensor([[1], [2], [3]])}
    assert with_hints(numbered) == {**with_hints(batch), **numbered}
    assert_same(model, plain, numbered)


@pytest.mark.parametrize("backbone", ["bert", "modernbert"])
@pytest.mark.parametrize(
    "options",
    [{"gradient_checkpointing": True}, {"lora": {"r": 2, "target_modules": "all-linear"}}, {"freeze": 1}],
    ids=str,
)
def test_with_what_else_changes_layers(backbone: str, options: dict[str, Any]) -> None:
    assert_same(make(backbone, unpadded=True, **options), make(backbone, **options), rows())


@pytest.mark.parametrize("backbone", ABLE)
def test_the_layers_see_tokens_alone(backbone: str) -> None:
    def work(batch: dict[str, Tensor]) -> int:
        with FlopCounterMode(display=False) as counter:
            model(**batch)
        products = counter.get_flop_counts()["Global"]
        return sum(n for operation, n in products.items() if "bmm" not in str(operation))

    model, batch = make(backbone, unpadded=True), rows((40, 2, 2, 2))
    full = work({**batch, "attention_mask": torch.ones_like(batch["attention_mask"])})
    assert work(batch) < 0.75 * full  # the head sees all 160 places, the layers 46


def test_each_batch_for_itself() -> None:
    """With padding, without, with another shape, with a row of padding alone; and in a copy."""
    model, plain = make("bert", unpadded=True), make("bert")
    twin = copy.deepcopy(model)
    batches = [rows(lengths) for lengths in ((3, 5), (5, 5), (9, 1, 2), (4,), (5, 3, 4))]
    batches[-1]["attention_mask"][1] = 0
    for batch in batches:
        there = batch["attention_mask"].bool()
        for network in (model, twin):
            torch.testing.assert_close(network(**batch).logits[there], plain(**batch).logits[there])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_two_batches_before_one_backward_pass(checkpointing: bool) -> None:
    """As of questions and of answers: what is computed again is so with the rows it had."""
    model, plain = make("bert", unpadded=True, gradient_checkpointing=checkpointing), make("bert")
    for network in (model, plain):
        loss: Any = 0
        for batch in (rows((3, 9, 5)), rows((2, 4))):
            loss = loss + network(**batch).logits[batch["attention_mask"].bool()].square().sum()
        loss.backward()
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_states_of_all_layers_have_rows() -> None:
    model, plain, batch = make("bert", unpadded=True), make("bert"), rows()
    there = batch["attention_mask"].bool()
    found, expected = (m(**batch, output_hidden_states=True).hidden_states for m in (model, plain))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[there], other[there])


@pytest.mark.parametrize(
    "auto", ["AutoModelForSequenceClassification", "AutoModelForQuestionAnswering", "AutoModelForMultipleChoice"]
)
def test_heads(auto: str) -> None:
    model, plain, batch = make("bert", auto, unpadded=True), make("bert", auto), rows()
    if auto.endswith("Choice"):
        batch = {name: value[None] for name, value in batch.items()}
    found, expected = (m(**batch) for m in (model, plain))
    name = "start_logits" if auto.endswith("Answering") else "logits"
    there = batch["attention_mask"].bool() if auto.endswith("Answering") else ...
    torch.testing.assert_close(getattr(found, name)[there], getattr(expected, name)[there])


def test_who_is_left_alone() -> None:
    for backbone in (*CANNOT, "gpt2", "t5"):
        auto = {"gpt2": "AutoModelForCausalLM", "t5": "AutoModelForSeq2SeqLM"}.get(backbone, "AutoModelForMaskedLM")
        assert not active(make(backbone, auto, unpadded=True))
    assert not active(make("bert", unpadded=True, compile=True))
    assert not active(make("bert", unpadded=True, attention="eager"))
    model = make("bert", unpadded=True)
    hooks = len(model.base_model._forward_pre_hooks)
    leave_out_padding(model)
    assert len(model.base_model._forward_pre_hooks) == hooks


@pytest.mark.parametrize("auto", ["AutoModelForMaskedLM", "AutoModelForMultipleChoice"])
def test_what_was_counted_before_is_not_counted_again(auto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, which nobody asks how many tokens there are."""
    model, plain, batch = make("bert", auto, unpadded=True), make("bert", auto), rows()
    if auto.endswith("Choice"):
        batch = {name: value[None] for name, value in batch.items()}
    told = unpadding_inputs(model, with_hints(batch))
    assert set(told.values()) == {sum(LENGTHS), max(LENGTHS)}
    assert not unpadding_inputs(model, batch)
    assert not unpadding_inputs(plain, with_hints(batch))
    expected = plain(**batch).logits
    monkeypatch.setattr(Tensor, "nonzero", None)
    there = ... if auto.endswith("Choice") else batch["attention_mask"].bool()
    torch.testing.assert_close(model(**batch, **told).logits[there], expected[there])


def test_attention_that_a_kernel_is_asked_for() -> None:
    body = make("bert").base_model
    body.config.attention_probs_dropout_prob = 0.25
    assert _attention_of(body) == (torch.float32, 16, 0.25)
    assert _attention_of(body.bfloat16().eval()) == (torch.bfloat16, 16, 0.0)
