from __future__ import annotations

from typing import Any

import pytest
import torch
from test_combinations import make, tokens  # type: ignore[import-not-found]

from pretune.errors import InputError


def built(tokenizer: Any, backbone: str = "t5", **options: Any) -> Any:
    model = make("SpanDenoising", backbone, tokenizer, **options)
    model.build()
    return model


def long_rows() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (200, 122), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = 2, 3
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_sentinels_are_added_to_a_tokenizer_without_any(tokenizer: Any) -> None:
    before = len(tokenizer)
    model = built(tokenizer)
    assert len(tokenizer) == before + 100
    assert model.model.config.vocab_size >= len(tokenizer)
    assert model.sentinel_ids.tolist() == [before + i for i in range(100)]
    built(tokenizer)
    assert len(tokenizer) == before + 100


def test_shares_are_those_of_the_paper(tokenizer: Any) -> None:
    model = built(tokenizer)
    ids, mask, labels = model.corrupt(long_rows(), "val")
    sentinels = torch.isin(ids, model.sentinel_ids)
    assert (sentinels.sum(1) == 6).all()  # 18 of 120 tokens in spans of 3
    assert (mask.sum(1) == 122 - 18 + 6).all()
    assert ((labels != -100).sum(1) == 6 + 18 + 2).all()  # the final sentinel, and the end
    assert (ids[:, 0] == 2).all()
    assert (ids[:, -1] == 3).all()  # special tokens stay


def test_infilling_keeps_the_whole_text_as_its_target(tokenizer: Any) -> None:
    model = built(tokenizer, "bart")
    batch = long_rows()
    ids, mask, labels = model.corrupt(batch, "val")
    assert torch.equal(labels, batch["input_ids"])
    kept = ((ids != tokenizer.mask_token_id) & mask.bool()).sum(1)
    assert (kept == 122 - 18).all()


def test_the_decoder_reads_the_target_shifted(tokenizer: Any) -> None:
    for backbone in ("t5", "bart"):
        model = built(tokenizer, backbone)
        seen: dict[str, Any] = {}
        model.model.register_forward_pre_hook(lambda m, a, k, seen=seen: seen.update(k), with_kwargs=True)
        batch = tokens()
        model.step(batch, "val")
        labels = model.corrupt(batch, "val")[2]
        shifted = seen["decoder_input_ids"]
        assert torch.equal(shifted[:, 1:][labels[:, 1:] != -100], labels[:, :-1][labels[:, 1:] != -100])
        assert (shifted[:, 0] == model.model.config.decoder_start_token_id).all()


def test_dead_ends(tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"noise_density is 1\.5"):
        built(tokenizer, noise_density=1.5)
    with pytest.raises(InputError, match=r"mean_span is 0\.5"):
        built(tokenizer, mean_span=0.5)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="Infilling needs a tokenizer with a mask token"):
        built(tokenizer, "bart")


def test_too_few_sentinels(tokenizer: Any) -> None:
    class Data:
        longest, length_option = 4000, "block_size"
        tokenizer: Any = None

    model = make("SpanDenoising", "t5", tokenizer)
    type(model).datamodule = property(lambda self: Data())
    try:
        with pytest.raises(InputError, match="may need 201 sentinels, and the tokenizer has 100"):
            model.build()
    finally:
        del type(model).datamodule
