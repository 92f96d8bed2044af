"""Averages of weights: what is kept and exported is what was averaged, on every family of backbones."""

# ruff: noqa: F811

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from safetensors.torch import load_file
from test_switches import classifier, state, train, weights  # type: ignore[import-not-found]  # noqa: F401
from torch import Tensor

from pretune.errors import InputError
from pretune.modules.callbacks import EqualWeightAveraging

Run = Callable[..., Any]
EMA = ("--trainer.callbacks+=EMAWeightAveraging", "--trainer.callbacks.decay=0.8")
EQUAL = ("--trainer.callbacks+=EqualWeightAveraging", "--trainer.callbacks.start=5")
SWA = ("--trainer.callbacks+=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs=1e-3")


def command(backbone: Any) -> list[str]:
    return [
        "--model=TextClassification", f"--model.backbone={backbone}", "--model.learning_rate=3e-3",
        "--model.monitor=val/loss", "--data=TextClassificationDataModule", "--data.train_files=reviews.csv",
        "--data.text_column=review", "--data.label_column=stars", "--name=run", "--trainer.precision=32-true",
        "--data.batch_size=24", "--early_stopping=null",
    ]  # fmt: skip


@pytest.fixture
def args(reviews: Path, encoder: Path) -> list[str]:
    return command(encoder)


@pytest.mark.parametrize("averaging", [EMA, EQUAL], ids=["ema", "equal"])
def test_the_average_is_kept_tested_and_exported(
    averaging: tuple[str, ...],
    weights: str,
    reviews: Path,
    run: Run,
) -> None:
    # Slowly enough that the last validation, of an average, is the best: a tie would go to one from before.
    args = [*command(weights), "--model.learning_rate=5e-4"]
    cli = run("fit", *args, *averaging, "--trainer.max_epochs=4")
    best = float(cli.trainer.checkpoint_callback.best_model_score)
    exported = load_file(cli.run.folder / "export/model.safetensors")
    assert all(torch.equal(value, cli.model.model.state_dict()[name]) for name, value in exported.items())
    again = run("validate", *args)
    found = float(again.trainer.callback_metrics["val/loss"])
    assert found == pytest.approx(best, rel=1e-3)  # in bfloat16, kernels may differ from call to call
    plain = run("fit", *args, "--trainer.max_epochs=4", "--name=plain")
    ours = load_file(plain.run.folder / "export/model.safetensors")
    assert any(not torch.allclose(value, ours[name]) for name, value in exported.items())


@pytest.mark.parametrize("averaging", [EMA, EQUAL], ids=["ema", "equal"])
def test_the_average_goes_on_after_an_interruption(averaging: tuple[str, ...], args: list[str], run: Run) -> None:
    whole = run("fit", *args, *averaging, "--trainer.max_epochs=4", "--model.schedule=constant")
    run("fit", *args, *averaging, "--trainer.max_epochs=2", "--model.schedule=constant", "--name=part")
    resumed = run(
        "fit", *args, *averaging, "--trainer.max_epochs=4", "--model.schedule=constant", "--name=part",
        "--ckpt_path=last",
    )  # fmt: skip
    first, second = (load_file(cli.run.folder / "export/model.safetensors") for cli in (whole, resumed))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


class Notes(Callback):
    """The weights after each step, or as each epoch begins."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Tensor]] = []
        self.epochs: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.steps.append(state(pl_module))

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.epochs.append(state(pl_module))


def mean(found: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in found]).mean(0) for name in found[0]}


@pytest.mark.parametrize("start", [0, 5, 0.5])
def test_the_mean_of_the_last_steps(start: float, weights: str) -> None:
    model, notes, averaging = classifier(weights, learning_rate=1e-2), Notes(), EqualWeightAveraging(start)
    train(model, notes, averaging)  # 8 steps
    for name, value in mean(notes.steps[4 if start == 0.5 else int(start) :]).items():
        torch.testing.assert_close(state(model)[name], value, atol=1e-5, rtol=1e-4)
    assert isinstance(averaging, WeightAveraging)


def test_a_share_needs_an_end(weights: str) -> None:
    with pytest.raises(InputError, match="nothing says how long that is"):
        train(classifier(weights, schedule="constant", warmup=0.0), EqualWeightAveraging(), epochs=-1)
    with pytest.raises(InputError, match="start is -1"):
        EqualWeightAveraging(-1)


# ---------------------------------------------------------------------- Lightning's own SWA


def test_stochastic_weight_averaging_is_kept(weights: str, reviews: Path, run: Run, monkeypatch: Any) -> None:
    """The mean of the weights as the epochs from the second on began."""
    seen: list[dict[str, Tensor]] = []
    real = StochasticWeightAveraging.on_train_epoch_start

    def start(self: Any, trainer: Any, pl_module: Any) -> None:
        seen.append(state(pl_module))
        real(self, trainer, pl_module)

    monkeypatch.setattr(StochasticWeightAveraging, "on_train_epoch_start", start)
    args = command(weights)
    cli = run("fit", *args, *SWA, "--trainer.callbacks.swa_epoch_start=2", "--trainer.max_epochs=4")
    exported = load_file(cli.run.folder / "export/model.safetensors")
    tested = dict(run("validate", *args).model.model.state_dict())
    assert len(seen) == 4
    for name, value in mean(seen[1:]).items():
        torch.testing.assert_close(tested[name], value, atol=1e-5, rtol=1e-4)
        assert name not in exported or torch.equal(exported[name], tested[name])
    assert "kept" not in json.loads((cli.run.folder / "summary.json").read_text())["fit"]


def test_early_stopping_ends_an_average_and_leaves_one_that_never_began(
    args: list[str], run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pretune.modules import TextClassification

    seen: list[dict[str, Tensor]] = []

    def validation(self: Any) -> None:
        seen.append(state(self))
        self.log("val/scripted", 1.0 if len(seen) == 2 else 0.1)

    monkeypatch.setattr(TextClassification, "on_validation_epoch_end", validation)
    stopping = (
        "--early_stopping.patience=2",
        "--model.monitor=val/scripted",
        "--model.monitor_mode=max",
        "--trainer.num_sanity_val_steps=0",
    )
    args = [arg for arg in args if not arg.startswith(("--early_stopping", "--model.monitor"))]
    cli = run("fit", *args, *stopping, *SWA, "--trainer.callbacks.swa_epoch_start=9", "--trainer.max_epochs=9")
    assert len(seen) == 4
    exported = load_file(cli.run.folder / "export/model.safetensors")
    assert all(torch.equal(exported[name], value) for name, value in seen[1].items() if name in exported)
    assert "Training ended before StochasticWeightAveraging began" in caplog.text
    seen.clear()
    cli = run("fit", *args, *stopping, *SWA, "--trainer.callbacks.swa_epoch_start=2", "--trainer.max_epochs=9")
    assert len(seen) == 4
    exported = load_file(cli.run.folder / "export/model.safetensors")
    for name, value in mean(seen[:3]).items():  # as the second, third and fourth epoch began
        if name in exported:
            torch.testing.assert_close(exported[name], value, atol=1e-5, rtol=1e-4)
