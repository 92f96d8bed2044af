"""Fixtures of the tests in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from switched import FAMILIES  # type: ignore[import-not-found]
from test_combinations import BACKBONES  # type: ignore[import-not-found]

from pretune.modules import Backbone, TextClassification


@pytest.fixture(params=FAMILIES)
def weights(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> str:
    """A folder of pretrained weights of each family."""
    torch.manual_seed(0)
    config = {"model_type": request.param, **BACKBONES[request.param][1]}
    model = TextClassification(Backbone(config=config), labels=["x", "y"])
    model.tokenizer = tokenizer
    model.save_pretrained(tmp_path / request.param)
    return str(tmp_path / request.param)
