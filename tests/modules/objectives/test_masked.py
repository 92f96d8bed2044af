from __future__ import annotations

from typing import Any

import pytest
import torch
from test_backbone import config  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling


def make(model_type: str, tokenizer: Any, **options: Any) -> MaskedLanguageModeling:
    torch.manual_seed(0)
    model = MaskedLanguageModeling(Backbone(config=config(model_type), dropout=0.0), **options)
    model.tokenizer = tokenizer
    model.build()
    return model


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (6, 16), generator=torch.Generator().manual_seed(1))
    ids[:, 0] = 2
    mask = torch.ones_like(ids)
    mask[3:, 11:] = 0
    ids[mask == 0] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


def test_training_masks_change_with_the_step_and_validation_masks_do_not(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = make("bert", tokenizer), batch()
    step = 0
    monkeypatch.setattr(MaskedLanguageModeling, "global_step", property(lambda self: step))
    first_train, first_val = model.step(data, "train").loss, model.step(data, "val").loss
    step = 1
    assert model.step(data, "train").loss != first_train
    assert model.step(data, "val").loss == first_val


def test_what_has_no_mask_token(tokenizer: Any) -> None:
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="needs a tokenizer with a mask token"):
        make("bert", tokenizer)
