"""What keeps pretrained weights from drifting: each switch does what it says, on every family of backbones."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Timer
from test_combinations import BACKBONES, tokens, total  # type: ignore[import-not-found]
from torch import Tensor
from torch.utils.data import DataLoader
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
from pretune.modules.backbone.depth import parameter_depths
from pretune.modules.losses.agreement import disagreement

FAMILIES = ("bert", "llama", "t5", "bart")
OBJECTIVES = {"bert": MaskedLanguageModeling, "llama": CausalLanguageModeling, "t5": SpanDenoising}
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
SGD: dict[str, Any] = {"optimizer": "sgd", "schedule": "constant", "warmup": 0.0, "learning_rate": 0.1}


def batch() -> dict[str, Tensor]:
    return {**tokens(), "labels": torch.arange(6) % 3}


def loader(steps: int) -> Any:
    return DataLoader([batch()] * steps, batch_size=None)


@pytest.fixture(params=FAMILIES)
def weights(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> str:
    """A folder of pretrained weights of each family."""
    torch.manual_seed(0)
    config = {"model_type": request.param, **BACKBONES[request.param][1]}
    model = TextClassification(Backbone(config=config), labels=["x", "y"])
    model.tokenizer = tokenizer
    model.save_pretrained(tmp_path / request.param)
    return str(tmp_path / request.param)


def classifier(weights: str, dropout: float = 0.0, **options: Any) -> TextClassification:
    torch.manual_seed(0)
    model = TextClassification(Backbone(weights, dropout=dropout), labels=["a", "b", "c"], **options)
    model.build()
    sharpen(model)
    return model


def sharpen(model: Any) -> None:
    """Untrained networks find all classes alike, where neither smoothing nor dropout would show."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.ndim > 1:
                parameter.mul_(3)


def fit(model: Any, steps: int, *callbacks: Callback, **options: Any) -> Trainer:
    trainer = Trainer(max_steps=steps, callbacks=list(callbacks), **{**QUIET, **options})
    trainer.fit(model, loader(steps))
    return trainer


def state(model: Any) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.model.named_parameters()}


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


def test_l2_sp_leads_back_to_the_pretrained_weights(weights: str) -> None:
    """One step of plain SGD by hand; the new head decays to 0 as usual."""
    options = {**SGD, "l2_sp": 0.5, "weight_decay": 0.2}
    model, moved = classifier(weights, **options), classifier(weights, **options)
    start = state(model)
    with torch.no_grad():
        for one, other in zip(model.parameters(), moved.parameters(), strict=True):
            drift = torch.randn_like(one)
            one.add_(drift)
            other.add_(drift)
    # As after an interruption: the weights have moved, where they started is known.
    model._start = {name: start[name.removeprefix("model.")].clone() for name in model.pretrained()}
    anchored = set(model._start)
    assert 0 < len(anchored) < len(start)
    moved.step(batch(), "train").loss.div(6).backward()
    fit(model, 1, gradient_clip_val=None)
    for name, parameter in moved.named_parameters():
        if parameter.grad is None:
            continue
        gradient, old, found = parameter.grad, parameter.detach(), dict(model.named_parameters())[name].detach()
        if name in anchored:
            stepped = old - 0.1 * gradient
            expected = stepped + 0.05 * (start[name.removeprefix("model.")] - stepped)
        else:
            expected = old - 0.1 * (gradient + (0.2 if old.ndim > 1 else 0.0) * old)
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3, msg=lambda m, name=name: name + m)


def test_l2_sp_goes_on_from_where_training_started(weights: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"l2_sp": 50.0, "learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0}
    whole = classifier(weights, **options)
    fit(whole, 4)
    first = classifier(weights, **options)
    fit(first, 2).save_checkpoint(tmp_path / "last.ckpt")
    resumed = TextClassification(Backbone(weights, dropout=0.0), labels=["a", "b", "c"], **options)
    Trainer(max_steps=4, **QUIET).fit(resumed, loader(4), ckpt_path=str(tmp_path / "last.ckpt"))
    for (name, one), other in zip(state(whole).items(), state(resumed).values(), strict=True):
        torch.testing.assert_close(other, one, atol=0, rtol=0, msg=name)
    weak = classifier(weights, **{**options, "l2_sp": 0.0, "weight_decay": 0.0})
    start = state(weak)
    fit(weak, 4)

    def distance(model: Any) -> float:
        return sum(float((p - start[n]).norm()) for n, p in state(model).items() if f"model.{n}" in whole._start)

    assert distance(whole) < 0.9 * distance(weak)


def test_l2_sp_needs_pretrained_weights(tokenizer: Any, tiny: dict[str, Any]) -> None:
    model = TextClassification(Backbone(config=tiny), labels=["a", "b", "c"], l2_sp=0.1)
    model.tokenizer = tokenizer
    with pytest.raises(InputError, match="there are none that learn"):
        fit(model, 1)


# ---------------------------------------------------------------------- gradual unfreezing


class Watch(Callback):
    """Notes, at each step, who has a gradient."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.seen.append({name for name, p in pl_module.model.named_parameters() if p.grad is not None})


def test_gradual_unfreezing_wakes_layers_from_the_top(weights: str) -> None:
    model, watch = classifier(weights, gradual_unfreezing=4, warmup=0.0), Watch()
    depths, top = parameter_depths(model.model)
    start, used = state(model), set()
    model.step(batch(), "train").loss.backward()
    used = {name for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    fit(model, 6, watch)
    for step, learning in enumerate(watch.seen):
        assert learning == {name for name in used if (top - depths[name]) / top * 4 <= step}, step
    assert {depths[name] for name in watch.seen[0]} == {top}
    assert watch.seen[-1] == used
    assert all(p.requires_grad for p in model.model.parameters())
    moved = {name for name, p in state(model).items() if not torch.equal(p, start[name])}
    assert used <= moved | {name for name in used if start[name].abs().sum() == 0 and name not in moved}

    short = classifier(weights, gradual_unfreezing=100, warmup=0.0)
    start = state(short)
    fit(short, 3)
    assert {depths[n] for n, p in state(short).items() if not torch.equal(p, start[n])} == {top}


def test_gradual_unfreezing_leaves_frozen_what_is_frozen(encoder: Path) -> None:
    model = TextClassification(Backbone(str(encoder), freeze=1), labels=["a", "b", "c"], gradual_unfreezing=0.5)
    model.build()
    frozen = {name for name, p in model.model.named_parameters() if not p.requires_grad}
    start = state(model)
    fit(model, 4)
    assert frozen == {name for name, p in model.model.named_parameters() if not p.requires_grad}
    assert all(torch.equal(p, start[name]) for name, p in state(model).items() if name in frozen)


# ---------------------------------------------------------------------- a limit of time


class ClocksApart(Callback):
    """Gives each process a clock of its own, and notes the rates and the last weights."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        timer = next(callback for callback in trainer.callbacks if isinstance(callback, Timer))
        timer._offset = 30_000 * (1 + trainer.global_rank)  # type: ignore[assignment]

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        torch.save((self.rates, pl_module.progress(), state(pl_module)), f"{trainer.global_rank}.pt")


def test_processes_follow_one_clock(tokenizer: Any, tiny: dict[str, Any]) -> None:
    options: dict[str, Any] = {"optimizer": "sgd", "schedule": "linear", "warmup": 0.0, "learning_rate": 0.1}
    model = TextClassification(Backbone(config=tiny, dropout=0.0), labels=["a", "b", "c"], **options)
    model.tokenizer = tokenizer
    limit = timedelta(seconds=100_000)
    fit(model, 4, ClocksApart(), max_time=limit, devices=2, strategy="ddp_fork")
    (rates, progress, weights), (others, progress_there, theirs) = torch.load("0.pt"), torch.load("1.pt")
    # After 0.3 of the time, which is more than no step or one of four, and less than two.
    assert rates == pytest.approx([0.07, 0.07, 0.05, 0.025], abs=1e-3)
    assert others == rates
    assert progress_there == progress
    assert all(torch.equal(weight, theirs[name]) for name, weight in weights.items())


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
