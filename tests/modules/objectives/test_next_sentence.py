from __future__ import annotations

from typing import Any

import pytest
import torch
from test_combinations import make, pairs  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import CausalLanguageModeling, NextSentencePrediction, SentenceOrderPrediction


def built(objective: str, tokenizer: Any, backbone: str = "bert", **options: Any) -> Any:
    model = make(objective, backbone, tokenizer, **options)
    model.build()
    return model


def many(count: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.randint(5, 90, (count, length), generator=generator)
        for key, length in (("segment_a", 6), ("segment_b", 4), ("segment_other", 5))
    }


def read(model: Any, batch: dict[str, torch.Tensor], stage: str = "val") -> tuple[torch.Tensor, torch.Tensor]:
    """What the network reads, unmasked, and the labels."""
    seen: dict[str, Any] = {}
    handle = model.model.register_forward_pre_hook(lambda m, a, k: seen.update(k), with_kwargs=True)
    output = model.step(batch, stage)[model.pair_part]
    handle.remove()
    assert output.count == len(batch["segment_a"])
    return seen["input_ids"], seen["token_type_ids"]


@pytest.mark.parametrize("objective", ["NextSentencePrediction", "SentenceOrderPrediction"])
def test_half_of_the_pairs_are_changed(objective: str, tokenizer: Any) -> None:
    model = built(objective, tokenizer, mlm_weight=0.0)  # nothing is masked
    batch = many(2000)
    ids, types = read(model, batch)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    changed = 0
    for row, kinds, a, b, other in zip(
        ids.tolist(), types.tolist(), *(batch[k].tolist() for k in ("segment_a", "segment_b", "segment_other")),
        strict=True,
    ):  # fmt: skip
        row = [token for token in row if token != 0]
        pairs_ = {"NextSentencePrediction": (a, other), "SentenceOrderPrediction": (b, a)}
        as_it_was = [cls, *a, sep, *b, sep]
        first, second = pairs_[objective]
        as_changed = [cls, *first, sep, *second, sep]
        assert row in (as_it_was, as_changed)
        first = a if row == as_it_was else first
        assert kinds[: len(row)] == [0] * (len(first) + 2) + [1] * (len(row) - len(first) - 2)
        changed += row == as_changed
    assert abs(changed - 1000) < 3 * (2000 * 0.25) ** 0.5


def test_training_draws_by_step_and_validation_does_not(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch, step = built("NextSentencePrediction", tokenizer, mlm_weight=0.0), many(64), 0
    monkeypatch.setattr(NextSentencePrediction, "global_step", property(lambda self: step))
    train, val = read(model, batch, "train")[0], read(model, batch)[0]
    step = 1
    assert not torch.equal(read(model, batch, "train")[0], train)
    assert torch.equal(read(model, batch)[0], val)


@pytest.mark.parametrize("backbone", ["bert", "mobilebert", "albert", "roberta", "modernbert", "electra"])
def test_the_backbones_own_head_is_used_where_there_is_one(backbone: str, tokenizer: Any) -> None:
    own = backbone in ("bert", "mobilebert", "albert")
    model = built("NextSentencePrediction", tokenizer, backbone)
    assert (model.pair_head is None) == own
    assert model.auto_class == ("AutoModelForPreTraining" if own else "AutoModelForMaskedLM")
    output = model.step(pairs(), "val")
    output["nsp"].loss.backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert any("pair_head" in n or "seq_relationship" in n or "sop_classifier" in n for n in moved)
    learning = {id(p) for group in model.parameter_groups() for p in group["params"]}
    assert all(id(p) in learning for p in model.parameters())


@pytest.mark.parametrize(
    ("weights", "parts"), [((1.0, 0.0), ["mlm"]), ((0.0, 2.0), ["nsp"]), ((0.5, 1.0), ["mlm", "nsp"])]
)
def test_either_part_alone(weights: tuple[float, float], parts: list[str], tokenizer: Any) -> None:
    model = built("NextSentencePrediction", tokenizer, mlm_weight=weights[0], pair_weight=weights[1])
    outputs = model.step(pairs(), "val")
    assert list(outputs) == list(model.parts()) == parts
    total = sum(out.loss for out in outputs.values())
    total.backward()
    assert all(p.grad is not None for p in model.parameters())  # which distributed training waits for


def test_lengths_and_special_tokens(tokenizer: Any) -> None:
    model = built("NextSentencePrediction", tokenizer, mask_probability=0.9)
    batch = pairs()
    ids, _ = read(model, batch)
    special = torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id])
    assert (torch.isin(ids, special).sum(1) == 3).all()  # none masked, none drawn


def test_dead_ends(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="one of them above 0"):
        built("NextSentencePrediction", tokenizer, mlm_weight=0.0, pair_weight=0.0)
    with pytest.raises(InputError, match="masks tokens"):
        built("SentenceOrderPrediction", tokenizer, masking="word")
    model = built("NextSentencePrediction", tokenizer)
    with pytest.raises(InputError, match=r"needs batches with segment_a.*SentencePairDataModule would work"):
        model.shared_step({"input_ids": torch.ones(2, 2)}, "val")
    assert SentenceOrderPrediction.batch_keys == ("segment_a", "segment_b")
    assert CausalLanguageModeling.batch_keys == ("input_ids",)
