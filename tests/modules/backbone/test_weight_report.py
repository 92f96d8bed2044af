"""Which weights are loaded, new and unused; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from seven_encoders import CLASSIFIER  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone
from pretune.modules.backbone.weight_report import shown_count


def test_report_of_loaded_new_and_unused_weights(encoder: Path, tokenizer: Any) -> None:
    _, report = Backbone(str(encoder)).build(CLASSIFIER, tokenizer, num_labels=2)
    assert set(report.new) == {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"
    }  # fmt: skip
    assert len(report.loaded) == 37
    assert all(name.startswith("cls.predictions") for name in report.unused)
    assert len(report.unused) == 5
    assert report.head_is_new
    assert "37 tensors loaded, 4 new, 5 unused" in str(report)
    assert f": {report.parameters:,} parameters; " in str(report)  # and not 0.0 M
    assert [shown_count(count) for count in (57_123, 1_250_000)] == ["57,123", "1.2 M"]
    _, report = Backbone(str(encoder)).build("AutoModelForMaskedLM", tokenizer)
    assert not report.new
    assert not report.head_is_new


def test_loaded_weights_are_those_of_the_file(encoder: Path, tokenizer: Any) -> None:
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer, num_labels=2)
    saved = load_file(encoder / "model.safetensors")
    for name, value in model.bert.state_dict(prefix="bert.").items():
        if "pooler" not in name:
            assert torch.equal(value, saved[name]), name


def test_nothing_matches(encoder: Path, tokenizer: Any) -> None:
    save_file({"other.weight": torch.zeros(3)}, encoder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"No weight .* matches a bert: the file holds other.weight"):
        Backbone(str(encoder)).build(CLASSIFIER, tokenizer)


def test_other_sizes_are_refused(encoder: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match="do not fit its configuration"):
        Backbone(str(encoder), config={"intermediate_size": 48}).build(CLASSIFIER, tokenizer)
    with pytest.raises(InputError, match=r"no field 'hiden_size' \(did you mean hidden_size"):
        Backbone(str(encoder), config={"hiden_size": 48}).build(CLASSIFIER, tokenizer)
