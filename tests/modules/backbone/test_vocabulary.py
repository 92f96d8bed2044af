"""A network fits its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from seven_encoders import CLASSIFIER, SEVEN, config  # type: ignore[import-not-found]

from pretune.modules import Backbone


@pytest.mark.parametrize("model_type", SEVEN)
def test_vocabulary_and_special_tokens_follow_the_tokenizer(model_type: str, tokenizer: Any) -> None:
    model, _ = Backbone(config=config(model_type)).build("AutoModelForMaskedLM", tokenizer)
    assert model.config.vocab_size % 64 == 0
    assert model.config.vocab_size - 64 < len(tokenizer) <= model.config.vocab_size
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.training


def test_the_embedding_grows_and_never_shrinks(encoder: Path, tokenizer: Any) -> None:
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer)
    assert model.config.vocab_size == 256  # more rows than the tokenizer has entries
    before = model.get_input_embeddings().weight.detach().clone()
    tokenizer.add_tokens([f"new{i}" for i in range(200)])
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer)
    table = model.get_input_embeddings().weight
    assert len(table) % 64 == 0
    assert len(table) >= len(tokenizer)
    assert torch.equal(table[:256], before)
    spread = (before - before.mean(0)).norm(dim=1).mean()
    assert (table[256:] - before.mean(0)).norm(dim=1).max() < spread


@pytest.mark.parametrize(
    ("model_type", "start"), [("t5", "pad"), ("pegasus", "pad"), ("bart", "eos"), ("mbart", "eos")]
)
def test_decoders_begin_and_end_with_the_tokenizers_own_tokens(model_type: str, start: str, tokenizer: Any) -> None:
    config = Backbone(config={"model_type": model_type}).load_config(tokenizer)
    ids = {"pad": tokenizer.pad_token_id, "eos": tokenizer.sep_token_id}
    assert config.decoder_start_token_id == ids[start]
    assert getattr(config, "forced_eos_token_id", None) in (None, ids["eos"])
