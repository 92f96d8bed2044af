from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from seven_encoders import config  # type: ignore[import-not-found]
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import AutoModel

from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling, TextClassification
from pretune.modules.backbone.architecture import config_from_json


def rows(count: int, masked: bool) -> list[dict[str, Tensor]]:
    """Rows of unequal length, so that a mean of means is not the mean."""
    generator = torch.Generator().manual_seed(1)
    out = []
    for i in range(count):
        length = 4 + (i * 5) % 13
        row = {
            "input_ids": torch.randint(5, 90, (length,), generator=generator),
            "attention_mask": torch.ones(length, dtype=torch.long),
        }
        out.append(row if masked else {**row, "labels": torch.tensor(i % 3)})
    return out


def collate(batch: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    out = {
        key: torch.nn.utils.rnn.pad_sequence([row[key] for row in batch], batch_first=True)
        for key in ("input_ids", "attention_mask")
    }
    if "labels" in batch[0]:
        out["labels"] = torch.stack([row["labels"] for row in batch])
    return out


def make(kind: str, tiny: dict[str, Any], tokenizer: Any) -> Any:
    torch.manual_seed(0)
    backbone = Backbone(config={**tiny, "vocab_size": 256}, dropout=0.0)
    options: dict[str, Any] = {"learning_rate": 1.0, "optimizer": "sgd", "schedule": "constant", "warmup": 0.0}
    model: Any
    if kind == "masked":
        model = MaskedLanguageModeling(backbone, **options)
    else:
        weights = [1.0, 2.0, 5.0] if kind == "weighted" else None
        model = TextClassification(backbone, labels=["a", "b", "c"], class_weights=weights, **options)
    model.tokenizer = tokenizer
    model.build()
    return model


def step_once(model: Any, data: list[Any], batch_size: int, accumulate: int, **trainer: Any) -> dict[str, Tensor]:
    """The change of the weights in one optimizer step."""
    before = {name: p.detach().clone() for name, p in model.model.named_parameters()}
    loader = DataLoader(data, batch_size=batch_size, collate_fn=collate)
    Trainer(
        accelerator="cpu",
        accumulate_grad_batches=accumulate,
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer,
    ).fit(model, loader)
    return {name: p.detach() - before[name] for name, p in model.model.named_parameters()}


@pytest.mark.parametrize("kind", ["masked", "classification", "weighted"])
def test_gradient_does_not_depend_on_micro_batches(kind: str, tiny: dict[str, Any], tokenizer: Any) -> None:
    data = rows(16, kind == "masked")
    whole = step_once(make(kind, tiny, tokenizer), data, 16, 1)
    assert max(change.abs().max() for change in whole.values()) > 1e-3
    for batch_size, accumulate in ((8, 2), (4, 4), (1, 16), (5, 4)):
        parts = step_once(make(kind, tiny, tokenizer), data, batch_size, accumulate)
        for name, change in whole.items():
            torch.testing.assert_close(
                parts[name], change, atol=2e-6, rtol=1e-4, msg=f"{name} {batch_size}x{accumulate}"
            )


def test_a_window_that_the_epoch_cuts_short_is_still_a_mean(tiny: dict[str, Any], tokenizer: Any) -> None:
    data = rows(6, False)
    whole = step_once(make("classification", tiny, tokenizer), data, 6, 1)
    short = step_once(make("classification", tiny, tokenizer), data, 4, 4)  # 4 + 2, of a window of 4
    for name, change in whole.items():
        torch.testing.assert_close(short[name], change, atol=2e-6, rtol=1e-4)


def test_the_plain_mean_would_differ(tiny: dict[str, Any], tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with Lightning's mean of means it does."""
    data = rows(16, True)
    whole = step_once(make("masked", tiny, tokenizer), data, 16, 1)

    def mean_of_means(self: Any, batch: Any, batch_idx: int) -> Tensor:
        output = self.shared_step(batch, "train")[""]
        return output.loss / output.count

    monkeypatch.setattr(MaskedLanguageModeling, "training_step", mean_of_means)
    parts = step_once(make("masked", tiny, tokenizer), data, 4, 4)
    assert max((parts[name] - change).abs().max() for name, change in whole.items()) > 1e-4


def test_dropout_is_on_in_training(encoder: Path) -> None:
    model = TextClassification(str(encoder), labels=["a", "b"])
    model.build()
    assert all(module.training for module in model.model.modules())
    batch = collate(rows(4, True))
    inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
    assert not torch.equal(model.model(**inputs).logits, model.model(**inputs).logits)


def test_parameter_groups(tiny: dict[str, Any], tokenizer: Any) -> None:
    model = make("classification", tiny, tokenizer)
    model.layer_decay, model.learning_rate = 0.5, 1.0
    names = {id(p): name for name, p in model.model.named_parameters()}
    seen = set()
    for group in model.parameter_groups():
        for parameter in group["params"]:
            name = names[id(parameter)]
            seen.add(name)
            assert (group["weight_decay"] == 0) == (name.endswith("bias") or "LayerNorm" in name), name
            depth = 0 if "embeddings" in name else 1 if "layer.0." in name else 2 if "layer.1." in name else 3
            assert group["lr"] == pytest.approx(0.5 ** (3 - depth)), name
    assert seen == set(names.values())


def test_evaluation_does_not_depend_on_batches(tiny: dict[str, Any], tokenizer: Any) -> None:
    scores = []
    for batch_size in (1, 7, 64):
        model = make("masked", tiny, tokenizer)
        loader = DataLoader(rows(33, True), batch_size=batch_size, collate_fn=collate)
        trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
        scores.append(trainer.validate(model, loader, verbose=False)[0])
    assert scores[0].keys() == {"val/loss", "val/perplexity", "val/accuracy"}
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], rel=1e-5)
    assert scores[0]["val/perplexity"] == pytest.approx(torch.tensor(scores[0]["val/loss"]).exp().item(), rel=1e-5)


def test_a_head_that_was_never_trained_does_not_predict(encoder: Path) -> None:
    model = TextClassification(str(encoder), labels=["a", "b"])
    loader = DataLoader(rows(4, True), batch_size=2, collate_fn=collate)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    with pytest.raises(InputError, match=r"never|untrained"):
        trainer.predict(model, loader)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "t5", "bert"])
def test_steps_ask_for_no_keys_and_values(kind: str) -> None:
    """Generation keeps them; in a step they are copies, and one more graph to compile for each layer."""
    module = MaskedLanguageModeling(Backbone(config=config("bert")))
    network = AutoModel.from_config(config_from_json(json.dumps(config(kind))))
    ids = torch.ones(1, 4, dtype=torch.long)
    inputs = module.network_inputs({"input_ids": ids}, network)
    out = network(**inputs, **({"decoder_input_ids": ids} if kind == "t5" else {}))
    assert getattr(out, "past_key_values", None) is None


def test_options_that_are_not_there() -> None:
    with pytest.raises(TypeError, match=r"TextClassification has no option 'lr'; it learns by: learning_rate, "):
        TextClassification("bert-base-uncased", lr=1e-3)
    with pytest.raises(InputError, match="problem is 'multiple'; there are: single, multi, regression"):
        TextClassification("bert-base-uncased", problem="multiple")  # type: ignore[arg-type]


def test_a_step_that_returns_something_else(tokenizer: Any, tiny: dict[str, Any]) -> None:
    class Mean(MaskedLanguageModeling):
        def step(self, batch: dict[str, torch.Tensor], stage: str) -> Any:
            return super().step(batch, stage).loss

    model = Mean(Backbone(config=tiny))
    model.tokenizer = tokenizer
    model.build()
    with pytest.raises(TypeError, match=r"Mean\.step must return an Output .* and returned a Tensor"):
        model.validation_step({"input_ids": torch.arange(8)[None], "attention_mask": torch.ones(1, 8).long()}, 0)
