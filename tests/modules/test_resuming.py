"""What is changed on resume is applied or refused, and said; the same options change no bit."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from tests_support import WORDS

from pretune.modules.callbacks import BestCheckpoint

Fit = Callable[..., Any]


class Seen(Callback):
    """Notes what is trained on, and at which rate."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.rows += [tuple(t for t in row if t) for row in batch["input_ids"].tolist()]

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        self.rates.append(max(group["lr"] for group in optimizer.param_groups))


@pytest.fixture
def fit(encoder: Path, run: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fit:
    from pretune.modules.cli import PretuneCLI

    # Texts that differ, so that rows can be told apart.
    rows = [f"{WORDS[i % 16]} {WORDS[i // 16]} {'good film' if i % 2 else 'bad book'},{i % 2}" for i in range(64)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(f"{row}" for row in rows) + "\n")
    (tmp_path / "held.csv").write_text("text,label\n" + "\n".join(rows[:8]).replace("the", "was") + "\n")
    plain = PretuneCLI._callbacks

    def fitted(*args: str, seen: Seen | None = None, **_: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(PretuneCLI, "_callbacks", lambda self: [*plain(self), *([seen] if seen else [])])
            return run(
                "fit", "--model=TextClassification", f"--model.backbone={encoder}",
                "--data=TextClassificationDataModule", "--data.train_files=rows.csv",
                "--data.validation_files=held.csv", "--data.batch_size=8", "--name=r", "--trainer.precision=32-true",
                "--model.learning_rate=1e-3", "--early_stopping=null", *args,
            )  # fmt: skip

    return fitted


def summary(cli: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cli.run.folder / "summary.json").read_text())
    return found


def linear(step: int, total: int, peak: float, warmup: float = 0.1) -> float:
    rise = round(warmup * total)
    return peak * (min(1.0, (step + 1) / rise) if step < rise else 1 - (step - rise) / max(1, total - rise))


def test_another_rate_schedule_and_length_are_used_and_said(fit: Fit, caplog: pytest.LogCaptureFixture) -> None:
    fit("--trainer.max_steps=5")
    seen = Seen()
    cli = fit(
        "--trainer.max_steps=12", "--ckpt_path=last", "--model.learning_rate=1e-4", "--model.weight_decay=0.3",
        "--model.betas=[0.8,0.9]", "--model.warmup=0.25", seen=seen,
    )  # fmt: skip
    assert seen.rates == pytest.approx([linear(step, 12, 1e-4, 0.25) for step in range(5, 12)])
    groups = cli.trainer.optimizers[0].param_groups
    assert {group["weight_decay"] for group in groups} == {0.3, 0.0}
    assert all(tuple(group["betas"]) == (0.8, 0.9) for group in groups)
    changed = summary(cli)["resumed"][0]["changed"]
    assert summary(cli)["resumed"][0]["step"] == 5
    assert changed["model.learning_rate"] == [1e-3, 1e-4]
    assert changed["trainer.max_steps"] == [5, 12]
    assert set(changed) == {
        "model.learning_rate", "model.weight_decay", "model.betas", "model.warmup", "trainer.max_steps"
    }  # fmt: skip
    assert "Going on from step 5 with" in caplog.text
    assert "model.learning_rate 0.0001 (was 0.001)" in caplog.text
    seen = Seen()
    fit("--trainer.max_steps=14", "--ckpt_path=last", "--model.schedule=constant", seen=seen)
    assert seen.rates == pytest.approx([1e-3] * 2)


def test_the_same_options_change_no_bit(fit: Fit) -> None:
    class Breaks(Seen):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step == 9:
                raise RuntimeError("broken off")

    options = ("--trainer.max_steps=14", "--checkpoint.every_n_steps=3", "--trainer.val_check_interval=1.0")
    fit(*options, "--name=whole")
    with pytest.raises(RuntimeError, match="broken off"):
        fit(*options, "--name=parts", seen=Breaks())
    cli = fit(*options, "--name=parts", "--ckpt_path=last")
    assert summary(cli)["resumed"] == [{"step": 8, "changed": {}}]
    one, other = (
        torch.load(f"runs/{n}/version_0/checkpoints/last.ckpt", weights_only=True) for n in ("whole", "parts")
    )
    assert one["global_step"] == other["global_step"] == 14
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name]), name
    groups = [
        [(g["lr"], g["initial_lr"], g["betas"]) for g in c["optimizer_states"][0]["param_groups"]] for c in (one, other)
    ]
    assert groups[0] == groups[1]


@pytest.mark.parametrize("options", [("--data.batch_size=16",), ("--data.batch_size=4",), ("--data.seed=7",)])
def test_every_row_is_seen_once_in_an_epoch_of_two_sizes(fit: Fit, options: tuple[str, ...]) -> None:
    first, second = Seen(), Seen()
    fit("--trainer.max_steps=3", "--trainer.max_epochs=2", seen=first)
    cli = fit("--trainer.max_steps=-1", "--trainer.max_epochs=2", "--ckpt_path=last", *options, seen=second)
    assert len(first.rows) == 24
    epoch = first.rows + second.rows[:40]
    assert len(set(epoch)) == 64
    assert len(set(second.rows[40:])) == 64
    assert len(second.rows) == 40 + 64
    assert cli.trainer.current_epoch == 2
    size = int(options[0].rpartition("=")[2]) if "batch_size" in options[0] else 8
    total = 3 + math.ceil(40 / size) + 64 // size
    assert cli.trainer.global_step == total
    assert second.rates == pytest.approx([linear(step, total, 1e-3) for step in range(3, total)])
    assert list(summary(cli)["resumed"][0]["changed"])[-1] == options[0].partition("=")[0].removeprefix("--")


def test_training_scores_are_of_whole_epochs(fit: Fit, caplog: pytest.LogCaptureFixture) -> None:
    """Of one that was interrupted they would count the rows since; the next one's are those of an uninterrupted run."""

    def scores(cli: Any) -> dict[str, float]:
        rows = csv.DictReader((cli.run.folder / "metrics.csv").read_text().splitlines())
        return {row["step"]: float(row["train/accuracy"]) for row in rows if row.get("train/accuracy")}

    options = ("--model.schedule=constant", "--model.warmup=0")
    whole = scores(fit(*options, "--trainer.max_steps=24"))
    fit(*options, "--trainer.max_steps=3", "--name=cut")
    cut = scores(fit(*options, "--trainer.max_steps=24", "--name=cut", "--ckpt_path=last"))
    assert "Scores of training rows are left out of epoch 0: a part of it was trained on" in caplog.text
    assert list(whole) == ["7", "15", "23"]
    assert {step: score for step, score in cut.items() if int(step) > 3} == {s: whole[s] for s in ("15", "23")}


def test_another_window_of_accumulation(fit: Fit) -> None:
    fit("--trainer.max_steps=4", "--trainer.max_epochs=2")
    seen = Seen()
    cli = fit(
        "--trainer.max_steps=-1", "--trainer.max_epochs=2", "--ckpt_path=last",
        "--trainer.accumulate_grad_batches=2", seen=seen,
    )  # fmt: skip
    assert cli.trainer.global_step == 4 + 2 + 4
    assert len(seen.rows) == 32 + 64
    assert seen.rates == pytest.approx([linear(step, 10, 1e-3) for step in range(4, 10)])


def test_what_cannot_change_is_refused(fit: Fit) -> None:
    fit("--trainer.max_steps=2")
    for option, words in (
        ("--model.optimizer=sgd", "model.optimizer is 'sgd'"),
        ("--model.backbone.freeze=1", "model.backbone.freeze is 1"),
        ("--model.layer_decay=0.9", "model.layer_decay is 0.9"),
        ("--model.l2_sp=0.1", "model.l2_sp is 0.1"),
        ("--seed_everything=7", "seed_everything is 7"),
    ):
        with pytest.raises(SystemExit, match=words):
            fit("--trainer.max_steps=4", "--ckpt_path=last", option)
    assert fit("--trainer.max_steps=4", "--ckpt_path=last", "--model.backbone.dropout=0.2").trainer.global_step == 4


def test_a_run_is_not_made_shorter_than_it_is(fit: Fit) -> None:
    """Its configuration would not repeat it."""
    first = fit("--trainer.max_steps=12", "--trainer.max_epochs=3")
    folder = first.run.folder
    files = {name: (folder / name).read_text() for name in ("config.yaml", "summary.json")}
    for options, words in (
        (
            ("--trainer.max_steps=6",),
            "trainer.max_steps is 6, but the run that is resumed has trained 12 steps already",
        ),
        (
            ("--trainer.max_epochs=1",),
            "trainer.max_epochs is 1, but the run that is resumed has trained 2 epochs, or a",
        ),
    ):
        with pytest.raises(SystemExit, match=words) as caught:
            fit(*options, "--ckpt_path=last")
        assert caught.value.code not in (0, None)
        assert {name: (folder / name).read_text() for name in files} == files
    assert fit("--trainer.max_steps=12", "--trainer.max_epochs=2", "--ckpt_path=last").trainer.global_step == 12
    for _ in range(2):
        assert fit("--trainer.max_epochs=2", "--ckpt_path=last").trainer.global_step == 16


def test_an_end_that_the_suite_sets_is_no_shorter_one(fit: Fit) -> None:
    """Of little data, epochs are added."""
    open_end = ("--pace.epochs=1", "--pace.min_steps=20", "--pace.validation_share=null")
    first = fit(*open_end)
    assert first.trainer.current_epoch > 1
    assert fit(*open_end, "--ckpt_path=last").trainer.global_step == first.trainer.global_step


def test_patience_is_what_is_asked_for_now(fit: Fit) -> None:
    options = ("--model.learning_rate=1e-9", "--trainer.max_epochs=9", "--pace.validation_share=null")
    first = fit(*options, "--early_stopping.patience=1")
    assert first.trainer.current_epoch < 9
    again = fit(*options, "--early_stopping.patience=30", "--ckpt_path=last")
    assert again.trainer.current_epoch == 9


@pytest.mark.parametrize("stays", [True, False])
def test_a_run_that_was_moved_keeps_its_best(stays: bool, tmp_path: Path) -> None:
    """Its checkpoints name the folder that they were written into."""
    before, after = (
        BestCheckpoint(tmp_path / "a", monitor="val/loss"),
        BestCheckpoint(tmp_path / "b", monitor="val/loss"),
    )
    (tmp_path / "a").mkdir()
    best = tmp_path / "a" / "best.ckpt"
    best.write_bytes(b"x")
    before.best_model_path, before.best_model_score = str(best), torch.tensor(0.25)
    before.best_k_models = {str(best): torch.tensor(0.25)}
    before.kth_best_model_path, before.kth_value = str(best), torch.tensor(0.25)
    state = before.state_dict()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    if not stays:
        shutil.rmtree(tmp_path / "a")
    after.load_state_dict(state)
    assert after.best_model_path == after.kth_best_model_path == str(tmp_path / "b" / "best.ckpt")
    assert after.best_k_models == {after.best_model_path: torch.tensor(0.25)}
    assert after.best_model_score == after.kth_value == 0.25


def test_a_copied_run_goes_on_like_the_original(fit: Fit) -> None:
    fit("--trainer.max_steps=8", "--trainer.val_check_interval=2")
    shutil.copytree("runs/r", "runs/moved")
    more = ("--ckpt_path=last", "--trainer.max_steps=12", "--trainer.val_check_interval=2")
    found = [summary(fit(f"--name={name}", *more))["fit"] for name in ("r", "moved")]
    assert found[0]["kept"] == found[1]["kept"]
    assert found[0]["best"] == found[1]["best"]
