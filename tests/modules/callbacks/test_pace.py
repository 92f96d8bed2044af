"""How long a run of few or many rows takes, and when it is validated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def fit(reviews: Path, encoder: Path, run: Run) -> Callable[..., Any]:
    def fitted(*args: str) -> Any:
        return run(
            "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=reviews.csv", "--data.text_column=review", "--data.label_column=stars", "--name=run",
            "--early_stopping=null", *args,
        )  # fmt: skip

    return fitted


def validations(cli: Any) -> list[int]:
    """The steps after which there were scores of validation."""
    lines = (cli.run.folder / "metrics.csv").read_text().splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    return [int(row["step"]) + 1 for row in rows if row["val/loss"] and row["step"] != "0"]


def test_few_rows_are_seen_often(fit: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """72 rows in batches of 24: 3 steps an epoch."""
    cli = fit("--data.batch_size=24", "--pace.min_steps=50", "--pace.validate_every=500")
    assert cli.trainer.global_step == 51
    assert "An epoch has 3 steps: 17 epochs instead of 3" in caplog.text
    assert validations(cli) == list(range(3, 52, 3))
    cli = fit("--data.batch_size=24", "--pace.min_steps=130")  # 44 epochs: every second one is validated
    assert cli.trainer.global_step == 132
    assert validations(cli) == list(range(6, 133, 6))


def test_what_the_user_says_holds(fit: Callable[..., Any]) -> None:
    assert fit("--data.batch_size=24", "--trainer.max_epochs=2").trainer.global_step == 6
    assert fit("--data.batch_size=24", "--trainer.max_steps=4").trainer.global_step == 4
    assert fit("--data.batch_size=24", "--pace.min_steps=0", "--pace.epochs=1").trainer.global_step == 3
    cli = fit("--data.batch_size=2", "--trainer.max_epochs=1", "--trainer.val_check_interval=0.5")
    assert validations(cli) == [18, 36]


def test_long_epochs_are_validated_within(fit: Callable[..., Any]) -> None:
    cli = fit("--data.batch_size=2", "--pace.validate_every=10", "--trainer.max_epochs=2")  # 36 steps: 4 x 9
    assert validations(cli) == list(range(9, 73, 9))
    cli = fit(
        "--data.batch_size=2", "--pace.validate_every=5", "--trainer.max_epochs=1",
        "--trainer.accumulate_grad_batches=2",
    )  # fmt: skip
    assert validations(cli) == [5, 9, 14, 18]  # every 9th of 36 batches, of which two make a step


def test_the_score_before_training_is_kept(fit: Callable[..., Any]) -> None:
    cli = fit("--trainer.max_epochs=1")
    before = json.loads((cli.run.folder / "summary.json").read_text())["before"]
    first = (cli.run.folder / "metrics.csv").read_text().splitlines()[1].split(",")
    assert 0 <= before["val/accuracy"] <= 1
    assert str(before["val/loss"]) in first
    cli = fit("--trainer.max_epochs=1", "--trainer.num_sanity_val_steps=0")
    assert "before" not in json.loads((cli.run.folder / "summary.json").read_text())
    cli = fit("--trainer.max_epochs=1", "--trainer.num_sanity_val_steps=1", "--data.batch_size=4")
    assert "before" not in json.loads((cli.run.folder / "summary.json").read_text())  # a part of the rows only
