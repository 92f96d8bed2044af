"""What keeps pretrained weights from drifting: each switch does what it says, on every family of backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from switched import QUIET, batch, classifier, fit, loader, sharpen  # type: ignore[import-not-found]
from test_combinations import BACKBONES, tokens, total  # type: ignore[import-not-found]
from transformers import AutoModelForSequenceClassification

from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    CausalLanguageModeling,
    MaskedLanguageModeling,
    ReplacedTokenDetection,
    SpanDenoising,
    TextClassification,
)
from pretune.modules.losses.agreement import disagreement

OBJECTIVES = {"bert": MaskedLanguageModeling, "llama": CausalLanguageModeling, "t5": SpanDenoising}


# ---------------------------------------------------------------------- label smoothing and R-Drop


def test_label_smoothing_shapes_the_training_loss_alone(weights: str) -> None:
    plain, smooth = (total(classifier(weights, label_smoothing=s), batch(), "train") for s in (0.0, 0.3))
    model = classifier(weights, label_smoothing=0.3)
    logits = model.model(**model.network_inputs(batch())).logits
    expected = torch.nn.functional.cross_entropy(logits, batch()["labels"], label_smoothing=0.3)
    torch.testing.assert_close(smooth, expected)
    assert not torch.isclose(smooth, plain)
    torch.testing.assert_close(total(model, batch(), "val"), plain)


def test_the_two_passes_of_r_drop_differ(weights: str) -> None:
    model = classifier(weights, dropout=0.3, r_drop=2.0)
    torch.manual_seed(1)
    found = model.shared_step(batch(), "train")[""]
    torch.manual_seed(1)
    first, second = model.step(batch(), "train"), model.step(batch(), "train")
    apart = disagreement(first.outputs, second.outputs, "classes")
    assert apart > 1e-4
    torch.testing.assert_close(found.loss, (first.loss + second.loss) / 2 + 2 * apart)
    model.eval()
    assert disagreement(model.step(batch(), "train").outputs, model.step(batch(), "train").outputs, "classes") == 0


@pytest.mark.parametrize("family", OBJECTIVES)
def test_objectives_take_the_switches_too(family: str, tokenizer: Any) -> None:
    """R-Drop compares one corruption with itself: only dropout differs."""
    config = {"model_type": family, **BACKBONES[family][1]}

    def make(dropout: float, **options: Any) -> Any:
        torch.manual_seed(0)
        model = OBJECTIVES[family](Backbone(config=config, dropout=dropout), **options)
        model.tokenizer = tokenizer
        model.build()
        sharpen(model)
        return model

    plain, smooth = (total(make(0.0, label_smoothing=s), tokens(), "train") for s in (0.0, 0.3))
    assert not torch.isclose(smooth, plain)
    model = make(0.0, r_drop=1.0)
    torch.testing.assert_close(model.shared_step(tokens(), "train")[""].loss, make(0.0).step(tokens(), "train").loss)
    if family != "llama":  # which has no dropout but in attention
        model = make(0.3, r_drop=1.0)
        with model.counted_step("train"):
            one, two = model.step(tokens(), "train").outputs, model.step(tokens(), "train").outputs
        assert disagreement(one, two, "classes") > 1e-4
    trainer = Trainer(max_steps=2, **QUIET)
    trainer.fit(make(0.1, r_drop=1.0, label_smoothing=0.1, gradual_unfreezing=0.5), loader(2))
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


def test_r_drop_is_refused_where_inputs_are_drawn(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="each pass of the generator draws another"):
        ReplacedTokenDetection(Backbone(config={"model_type": "electra"}), r_drop=1.0)


def test_shares_out_of_range_are_refused() -> None:
    for option, value in (("label_smoothing", 1.0), ("r_drop", -1), ("l2_sp", -0.1), ("gradual_unfreezing", -1)):
        with pytest.raises(InputError, match=rf"model\.{option} is {value}"):
            TextClassification("somewhere", labels=["a", "b"], **{option: value})


# ---------------------------------------------------------------------- decay to the start


# ---------------------------------------------------------------------- gradual unfreezing


# ---------------------------------------------------------------------- a limit of time


# ---------------------------------------------------------------------- everything at once, exported


def test_all_switches_together_are_exported(weights: str, tmp_path: Path) -> None:
    model = classifier(
        weights, dropout=0.1, r_drop=1.0, l2_sp=0.1, label_smoothing=0.1, gradual_unfreezing=0.5, layer_decay=0.9,
        class_weights=[1.0, 2.0, 0.5],
    )  # fmt: skip
    fit(model, 4)
    model.eval()
    model.save_pretrained(tmp_path / "export")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "export")
    inputs = model.network_inputs(batch())
    torch.testing.assert_close(plain(**inputs).logits, model.model(**inputs).logits)
