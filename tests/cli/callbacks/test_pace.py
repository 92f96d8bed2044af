"""How long a run of few or many rows takes, and when it is validated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

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


# ---------------------------------------------------------------------- the time of validation


class Batches(Callback):
    """Counts batches."""

    def __init__(self) -> None:
        self.trained, self.validated, self.before = 0, 0, 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.trained += 1

    def on_validation_batch_end(self, trainer: Any, *_: Any) -> None:
        self.validated += 1
        self.before += trainer.sanity_checking


@pytest.fixture
def counted(fit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    from pretune.cli.pretune_cli import PretuneCLI

    plain = PretuneCLI._callbacks
    (tmp_path / "many.csv").write_text(
        "review,stars\n" + "".join(f"a film {i},{('positive', 'negative')[i % 2]}\n" for i in range(200))
    )

    def run(*args: str) -> tuple[Any, Batches]:
        found = Batches()
        monkeypatch.setattr(PretuneCLI, "_callbacks", lambda self: [found, *plain(self)])
        return fit("--data.validation_files=many.csv", *args), found

    return run


@pytest.mark.slow
def test_validation_takes_a_fifth_of_the_time(counted: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """200 rows of validation for 80 of training: 20 batches for 8, of which a step costs three."""
    cli, found = counted("--data.batch_size=10", "--pace.min_steps=100")
    assert found.trained == cli.trainer.global_step == 104
    assert found.before == 20
    assert found.validated / 3 / (found.trained + found.validated / 3) < 0.21
    assert found.validated >= 40
    assert "Validation takes place every" in caplog.text
    assert validations(cli)[-1] == 104
    _, every = counted("--data.batch_size=10", "--pace.min_steps=100", "--pace.validation_share=null")
    assert every.validated == 20 * 14
    _, user = counted("--data.batch_size=10", "--trainer.max_epochs=2", "--trainer.val_check_interval=0.5")
    assert user.validated - user.before == 80


def test_a_short_run_looks_at_a_part_before_and_at_all_at_the_end(
    counted: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    cli, found = counted("--data.batch_size=10", "--trainer.max_steps=3")
    assert (found.before, found.validated) == (1, 21)
    assert validations(cli) == [3]
    assert "Before training 1 of 20 validation batches" in caplog.text
    assert "validating once, at the end, takes about 69% of the time" in caplog.text


@pytest.mark.parametrize("options", [
    ("--trainer.max_steps=4",),
    ("--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2"),
    ("--trainer.max_steps=7", "--trainer.check_val_every_n_epoch=4"),
    ("--trainer.max_epochs=1", "--trainer.val_check_interval=2"),
])  # fmt: skip
def test_the_last_step_is_validated(fit: Callable[..., Any], options: tuple[str, ...]) -> None:
    cli = fit("--data.batch_size=24", *options)
    assert validations(cli)[-1] == cli.trainer.global_step
    assert len(set(validations(cli))) == len(validations(cli))


def test_a_run_goes_on_after_its_end_was_validated(fit: Callable[..., Any]) -> None:
    fit("--data.batch_size=8", "--trainer.max_steps=4")
    cli = fit("--data.batch_size=8", "--trainer.max_steps=12", "--ckpt_path=last")  # 9 an epoch
    assert validations(cli) == [4, 9, 12]


def test_an_interval_beyond_an_epoch(fit: Callable[..., Any], fails: Callable[..., str]) -> None:
    cli = fit("--data.batch_size=24", "--trainer.max_steps=11", "--trainer.val_check_interval=4")
    assert validations(cli) == [4, 8, 11]


def test_a_limit_of_time_is_the_reason_given(fit: Callable[..., Any]) -> None:
    cli = fit("--data.batch_size=24", "--trainer.max_time=00:00:00:01", "--trainer.check_val_every_n_epoch=3")
    assert json.loads((cli.run.folder / "summary.json").read_text())["fit"]["stopped"] == "trainer.max_time reached."
    assert validations(cli)[-1] == cli.trainer.global_step
