"""Numbers that are none: refused where they are given, left out where they arise, said, and never kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from pretune.errors import InputError
from pretune.modules import MaskedLanguageModeling, TextClassification

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_options_refuse_them(value: float) -> None:
    for name in ("learning_rate", "weight_decay", "warmup", "label_smoothing", "r_drop", "l2_sp"):
        with pytest.raises(InputError, match=rf"model\.{name} is {value}"):
            TextClassification("x", labels=["a", "b"], **{name: value})
    with pytest.raises(InputError, match=r"model\.class_weights is"):
        TextClassification("x", labels=["a", "b"], class_weights=[value, 2.0])
    with pytest.raises(InputError, match=r"model\.mask_share is|model\.mask_probability is"):
        MaskedLanguageModeling("x", mask_probability=value)


class Spoil(Callback):
    """Makes the loss of some steps no number."""

    def __init__(self, steps: range) -> None:
        self.steps = steps

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        plain = pl_module.step

        def step(batch: Any, stage: str) -> Any:
            found = plain(batch, stage)
            if stage == "train" and trainer.global_step + 1 in self.steps:
                found.loss = found.loss * NAN
            return found

        pl_module.step = step


@pytest.fixture
def fit(reviews: Path, encoder: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    from pretune.cli.pretune_cli import PretuneCLI

    plain = PretuneCLI._callbacks

    def fitted(steps: range, *args: str) -> Any:
        monkeypatch.setattr(PretuneCLI, "_callbacks", lambda self: [Spoil(steps), *plain(self)])
        return run(
            "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=reviews.csv", "--data.label_column=stars", "--data.text_column=review", "--name=r",
            "--data.batch_size=4", "--trainer.precision=32-true", "--early_stopping=null", *args,
        )  # fmt: skip

    return fitted


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_some_steps_are_left_out(fit: Callable[..., Any], optimizer: str) -> None:
    with pytest.warns(UserWarning, match="not a finite number in 3 of 12 steps, which were left out; the last time "):
        cli = fit(range(4, 7), "--trainer.max_steps=12", f"--model.optimizer={optimizer}")
    assert all(torch.isfinite(p).all() for p in cli.model.parameters())
    assert json.loads((cli.run.folder / "summary.json").read_text())["fit"]["left_out"] == 3


def test_too_many_in_a_row_stop_the_run(fit: Callable[..., Any]) -> None:
    with pytest.raises(SystemExit) as caught:
        fit(range(6, 99), "--trainer.max_steps=90")
    message = str(caught.value.code)
    assert "in 13 steps in a row (model.max_skips), from step 6 (epoch 0, batch 5: training examples" in message
    assert "learning rate" in message


def test_a_run_that_ends_within_such_a_row_fails_too(fit: Callable[..., Any]) -> None:
    with pytest.raises(SystemExit, match="in 11 steps in a row"):
        fit(range(6, 99), "--trainer.max_steps=16")
    with pytest.raises(SystemExit, match="Nothing was learned: loss or gradient was not a finite number in any of 3"):
        fit(range(1, 99), "--trainer.max_steps=3")
    with pytest.warns(UserWarning, match="in 15 of 20 steps"):
        fit(range(6, 99), "--trainer.max_steps=20", "--model.max_skips=0")


class Ruin(Callback):
    """Makes a weight no number before a validation."""

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.global_step >= 10:
            with torch.no_grad():
                pl_module.model.classifier.bias[0] = NAN


def test_weights_that_are_no_numbers_are_never_the_best(
    fit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    from pretune.cli import pretune_cli as command_line

    monkeypatch.setattr(command_line, "StepTimes", Ruin)
    with pytest.raises(SystemExit, match="The weights are"), pytest.warns(UserWarning, match="is not kept as the best"):
        fit(range(0), "--trainer.max_steps=12", "--trainer.val_check_interval=5")
    kept = torch.load("runs/r/version_0/checkpoints/best.ckpt", weights_only=True)
    assert kept["global_step"] == 5
    assert not Path("runs/r/version_0/export").exists()


class Blind(Callback):
    """Makes the outputs of validations from a step on no numbers, of weights that are some: their loss is NaN."""

    since = 0

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        classifier, wrong = pl_module.model.classifier, not trainer.sanity_checking and trainer.global_step > self.since
        self.hook = classifier.register_forward_hook(lambda module, given, made: made * NAN) if wrong else None

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if self.hook is not None:
            self.hook.remove()


def test_a_validation_whose_loss_is_no_number_is_never_the_best(
    fit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An accuracy is a number all the same."""
    from pretune.cli import pretune_cli as command_line

    options = ("--trainer.val_check_interval=5", "--model.learning_rate=1e-6", "--model.monitor=val/accuracy")
    monkeypatch.setattr(command_line, "StepTimes", Blind)
    with (
        pytest.raises(SystemExit, match="No validation gave a finite loss and a finite val/accuracy") as caught,
        pytest.warns(UserWarning, match="Step 5 is not kept as the best: val/loss is nan"),
    ):
        fit(range(0), "--trainer.max_steps=10", *options)
    assert caught.value.code not in (0, None)
    run = Path("runs/r/version_0")
    assert not (run / "export").exists()
    assert not (run / "checkpoints/best.ckpt").exists()
    assert json.loads((run / "summary.json").read_text())["fit"]["status"] == "failed"
    with pytest.raises(SystemExit, match="No validation gave a finite loss"):  # nothing is left to train
        fit(range(0), "--trainer.max_steps=10", "--ckpt_path=last", *options)
    assert not (run / "export").exists()
    monkeypatch.setattr(Blind, "since", 5)
    fit(range(0), "--trainer.max_steps=10", "--name=late", *options)
    assert torch.load("runs/late/version_0/checkpoints/best.ckpt", weights_only=True)["global_step"] == 5


def test_labels_that_float32_cannot_square_are_refused(encoder: Path, fails: Callable[..., str]) -> None:
    Path("n.csv").write_text("text,label\n" + "".join(f"a film {i},{i}.5\n" for i in range(20)) + "a book,1e39\n")
    message = fails(
        "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        "--data.train_files=n.csv",
    )  # fmt: skip
    assert "n.csv:22" in message
    assert "1e+39" in message or "1e39" in message
