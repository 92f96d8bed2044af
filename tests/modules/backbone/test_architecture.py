"""Configurations that are changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from seven_encoders import CLASSIFIER, SEVEN, config  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling


@pytest.mark.parametrize("model_type", SEVEN)
def test_dropout_replaces_every_probability(model_type: str, tokenizer: Any) -> None:
    model, _ = Backbone(config=config(model_type), dropout=0.37).build(CLASSIFIER, tokenizer)
    found = [
        m.p if isinstance(m, torch.nn.Dropout) else m.drop_prob
        for m in model.modules()
        if "Dropout" in type(m).__name__
    ]
    assert all(p == 0.37 for p in found)
    assert found or model_type == "modernbert"


def test_head_options(encoder: Path) -> None:
    with pytest.raises(InputError, match=r"mask_probability is 1.5"):
        MaskedLanguageModeling(str(encoder), mask_probability=1.5)
    with pytest.raises(InputError, match=r"must be at least 0 and sum to at most 1"):
        MaskedLanguageModeling(str(encoder), mask_share=0.9, random_share=0.2)
