"""Lightning's own averaging of weights: what is kept and exported is what was averaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import StochasticWeightAveraging
from safetensors.torch import load_file

Run = Callable[..., Any]
EMA = ("--trainer.callbacks+=EMAWeightAveraging", "--trainer.callbacks.decay=0.8")


@pytest.fixture
def args(reviews: Path, encoder: Path) -> list[str]:
    return [
        "--model=TextClassification", f"--model.backbone={encoder}", "--model.learning_rate=3e-3",
        "--model.monitor=val/loss", "--data=TextClassificationDataModule", "--data.train_files=reviews.csv",
        "--data.text_column=review", "--data.label_column=stars", "--name=run", "--trainer.precision=32-true",
        "--data.batch_size=24", "--early_stopping=null",
    ]  # fmt: skip


def test_the_moving_average_is_kept_tested_and_exported(args: list[str], run: Run) -> None:
    cli = run("fit", *args, *EMA, "--trainer.max_epochs=4")
    best = float(cli.trainer.checkpoint_callback.best_model_score)
    exported = load_file(cli.run.folder / "export/model.safetensors")
    assert all(torch.equal(value, exported[name]) for name, value in cli.model.model.state_dict().items())
    again = run("validate", *args)
    assert float(again.trainer.callback_metrics["val/loss"]) == pytest.approx(best, abs=1e-6)
    plain = run("fit", *args, "--trainer.max_epochs=4", "--name=plain")
    ours = load_file(plain.run.folder / "export/model.safetensors")
    assert any(not torch.allclose(value, ours[name]) for name, value in exported.items())


def test_the_moving_average_goes_on_after_an_interruption(args: list[str], run: Run) -> None:
    whole = run("fit", *args, *EMA, "--trainer.max_epochs=4", "--model.schedule=constant")
    run("fit", *args, *EMA, "--trainer.max_epochs=2", "--model.schedule=constant", "--name=part")
    resumed = run(
        "fit", *args, *EMA, "--trainer.max_epochs=4", "--model.schedule=constant", "--name=part", "--ckpt_path=last"
    )
    first, second = (load_file(cli.run.folder / "export/model.safetensors") for cli in (whole, resumed))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_stochastic_weight_averaging_is_kept(args: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    averaged: list[dict[str, torch.Tensor]] = []
    real = StochasticWeightAveraging.on_train_end

    def end(self: Any, trainer: Any, pl_module: Any) -> None:
        real(self, trainer, pl_module)
        averaged.append({name: value.clone() for name, value in pl_module.model.state_dict().items()})

    monkeypatch.setattr(StochasticWeightAveraging, "on_train_end", end)
    swa = ("--trainer.callbacks+=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs=1e-3")
    cli = run("fit", *args, *swa, "--trainer.callbacks.swa_epoch_start=2", "--trainer.max_epochs=6")
    exported = load_file(cli.run.folder / "export/model.safetensors")
    tested = run("validate", *args).model.model.state_dict()
    for name, value in averaged[0].items():
        assert torch.equal(value, exported[name])
        assert torch.equal(value, tested[name])
