"""Each switch does what it says on encoders, decoders and encoder-decoders, and survives resuming and export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from switched import QUIET, SGD, batch, loader, sharpen, state  # type: ignore[import-not-found]
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from transformers import AutoModelForSequenceClassification

from pretune.modules import Backbone, TextClassification
from pretune.modules.backbone.depth import layer_stacks
from pretune.modules.callbacks import EqualWeightAveraging

FAMILIES = ("bert", "gpt2", "t5")
LABELS = ["a", "b", "c"]


@pytest.fixture(params=FAMILIES)
def weights(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> str:
    """A folder of pretrained weights of each family."""
    torch.manual_seed(0)
    config = {"model_type": request.param, **BACKBONES[request.param][1]}
    model = TextClassification(Backbone(config=config), labels=["x", "y"])
    model.tokenizer = tokenizer
    model.save_pretrained(tmp_path / request.param)
    return str(tmp_path / request.param)


def classifier(weights: str, backbone: dict[str, Any] | None = None, **options: Any) -> TextClassification:
    torch.manual_seed(0)
    model = TextClassification(Backbone(weights, **(backbone or {})), labels=LABELS, **options)
    model.build()
    sharpen(model)
    return model


class Saves(Callback):
    """Saves a checkpoint after a step."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def train(model: Any, *callbacks: Callback, epochs: int = 4, resume: Path | None = None) -> Trainer:
    """Two steps an epoch."""
    trainer = Trainer(max_epochs=epochs, callbacks=list(callbacks), num_sanity_val_steps=0, **QUIET)
    trainer.fit(model, loader(2), ckpt_path=str(resume) if resume else None)
    return trainer


# ---------------------------------------------------------------------- saved, resumed, exported

SWITCHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "layer_decay": ({}, {"layer_decay": 0.8}),
    "freeze": ({"freeze": 1}, {}),
    "gradual_unfreezing": ({}, {"gradual_unfreezing": 6}),
    "lora": ({"lora": {"r": 2}}, {}),
    "adapter": ({"adapter": {"peft_type": "IA3"}}, {}),
    "reinitialize_layers": ({"reinitialize_layers": 1}, {}),
    "dropout": ({"dropout": 0.3}, {}),
    "label_smoothing": ({}, {"label_smoothing": 0.2}),
    "class_weights": ({}, {"class_weights": [1.0, 2.0, 3.0]}),
    "l2_sp": ({}, {"l2_sp": 0.5}),
    "r_drop": ({}, {"r_drop": 1.0}),
    "ema": ({}, {}),
    "swa": ({}, {}),
}
AVERAGING: dict[str, Callable[[], Callback]] = {
    "ema": lambda: EMAWeightAveraging(decay=0.8),
    "swa": lambda: EqualWeightAveraging(start=3),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_saved_resumed_and_exported(switch: str, weights: str, tmp_path: Path) -> None:
    if switch in ("lora", "adapter"):
        pytest.importorskip("peft")
    backbone, options = SWITCHES[switch]
    options = {**options, "learning_rate": 1e-3, "schedule": "linear", "warmup": 0.0}
    averaging = [AVERAGING[switch]] if switch in AVERAGING else []
    whole = classifier(weights, backbone, **options)
    start = state(whole)
    train(whole, *(make() for make in averaging), Saves(4, tmp_path / "half.ckpt"))
    resumed = TextClassification(Backbone(weights, **backbone), labels=LABELS, **options)
    train(resumed, *(make() for make in averaging), resume=tmp_path / "half.ckpt")
    for (name, one), other in zip(state(whole).items(), state(resumed).values(), strict=True):
        torch.testing.assert_close(other, one, atol=0, rtol=0, msg=name)
    assert any(not torch.equal(one, start[name]) for name, one in state(resumed).items())
    resumed.eval()
    resumed.save_pretrained(tmp_path / "export")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "export")
    inputs = resumed.network_inputs(batch())
    expected = resumed.model(**inputs).logits
    torch.testing.assert_close(plain(**inputs).logits, expected, atol=1e-4, rtol=1e-4)  # merging rounds
    again = TextClassification(str(tmp_path / "export"), labels=LABELS)
    again.build()
    torch.testing.assert_close(again.model.eval()(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


# ---------------------------------------------------------------------- what each one says


def depth(name: str) -> int:
    """Of a parameter in a network of two layers, by its name alone."""
    if layer := re.search(r"\.(?:layer|h|block)\.(\d)\.", name):
        return int(layer[1]) + 1
    return 0 if re.search(r"embeddings|wte|wpe|shared|embed_tokens", name) else 3


def test_layer_rates_follow_the_formula(weights: str) -> None:
    model = classifier(weights, learning_rate=1.0, layer_decay=0.5)
    names = {id(p): name for name, p in model.model.named_parameters()}
    seen = {}
    for group in model.parameter_groups():
        seen |= {names[id(p)]: group["lr"] for p in group["params"]}
    assert seen.keys() == set(names.values())
    assert {name: 0.5 ** (3 - depth(name)) for name in seen} == pytest.approx(seen)
    assert {depth(name) for name in seen} == {0, 1, 2, 3}


@pytest.mark.parametrize("what", ["embeddings", 1, "all"])
def test_frozen_parameters_have_no_gradient_and_do_not_move(what: Any, weights: str) -> None:
    class Watch(Callback):
        def __init__(self) -> None:
            self.seen: set[str] = set()

        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            self.seen = {name for name, p in pl_module.model.named_parameters() if p.grad is not None}

    model, watch = classifier(weights, {"freeze": what}, **SGD, weight_decay=0.5), Watch()
    start = state(model)
    highest = {"embeddings": 0, "all": 2}.get(what, what)
    frozen = {name for name in start if depth(name) <= highest}
    if what == "all":  # of what lies above the layers, the head alone learns
        frozen |= {name for name in start if re.search(r"ln_f|final_layer_norm", name)}
    train(model, watch, epochs=2)
    assert frozen
    assert not frozen & watch.seen
    moved = {name for name, p in state(model).items() if not torch.equal(p, start[name])}
    assert moved
    assert not frozen & moved
    assert frozen == {name for name, p in model.model.named_parameters() if not p.requires_grad}


def test_adapters_of_frozen_layers_are_frozen(weights: str) -> None:
    pytest.importorskip("peft")
    model = classifier(weights, {"freeze": 1, "lora": {}})
    learning = {name for name, p in model.model.named_parameters() if p.requires_grad and "lora_" in name}
    assert {depth(name) for name in learning} == {2}


def test_the_top_layers_are_new_and_the_others_are_not(weights: str) -> None:
    def layers(model: Any) -> list[list[list[torch.Tensor]]]:
        return [[list(layer.parameters()) for layer in stack] for stack in layer_stacks(model.model.base_model)]

    old, new = (TextClassification(Backbone(weights, reinitialize_layers=n), labels=LABELS) for n in (0, 1))
    torch.manual_seed(5)
    old.build()
    new.build()
    for before, after in zip(layers(old), layers(new), strict=True):
        *low, top = [
            [torch.equal(one, other) for one, other in zip(*pair, strict=True)]
            for pair in zip(before, after, strict=True)
        ]
        assert all(all(same) for same in low)
        assert not all(top)


def test_dropout_is_that_of_every_module(weights: str) -> None:
    model = classifier(weights, {"dropout": 0.37})
    found = [m.p for m in model.model.modules() if isinstance(m, torch.nn.Dropout)]
    assert found
    assert set(found) == {0.37}


def test_adapters_merge_exactly(weights: str, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    model = classifier(weights, {"lora": {"r": 2}, "dropout": 0.0})
    plain = classifier(weights, {"dropout": 0.0})
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    inputs = model.network_inputs(batch())
    model.eval()
    adapted = model.model(**inputs).logits
    model.save_pretrained(tmp_path / "merged")
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(merged(**inputs).logits, adapted, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plain.model.eval()(**inputs).logits, adapted, atol=1e-2)


def test_a_scripted_metric_stops_and_its_weights_come_back(
    weights: str, reviews: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.9, 0.6, 0.7, 0.2, 0.1])
    kept: list[dict[str, torch.Tensor]] = []

    def validation(self: Any) -> None:
        kept.append({name: value.clone() for name, value in self.model.state_dict().items()})
        self.log("val/scripted", next(scores))

    monkeypatch.setattr(TextClassification, "on_validation_epoch_end", validation)
    cli = run(
        "fit", "--model=TextClassification", f"--model.backbone={weights}", "--model.monitor=val/scripted",
        "--model.monitor_mode=max",
        "--data=TextClassificationDataModule", "--data.train_files=reviews.csv", "--data.text_column=review",
        "--data.label_column=stars", "--early_stopping.patience=2", "--trainer.num_sanity_val_steps=0",
        "--model.learning_rate=1e-3", "--name=run", "--trainer.max_epochs=9",
    )  # fmt: skip
    assert len(kept) == 4  # best at 2, then two without an improvement
    assert all(torch.equal(value, kept[1][name]) for name, value in cli.model.model.state_dict().items())
    assert any(not torch.equal(value, kept[3][name]) for name, value in kept[1].items())
    exported = AutoModelForSequenceClassification.from_pretrained(cli.run.folder / "export").state_dict()
    assert all(torch.equal(value, exported[name]) for name, value in kept[1].items() if name in exported)
