"""What is drawn of a run, kept of it over a resume, and said of it at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from pretune.checkpoints import read_checkpoint
from pretune.cli.callbacks import EarlyStopping, LastCheckpoint, LearningCurves, RunReport
from pretune.cli.callbacks import history as history_module
from pretune.cli.callbacks.history import History
from pretune.cli.learning_curves import curves

PNG = b"\x89PNG"
TRAIN = [2.0 - 0.05 * step for step in range(24)]
VALIDATION = [1.5, 1.2, 1.4, 1.6, 1.8, 2.0]
ACCURACY = [0.5, 0.6, 0.9, 0.7, 0.6, 0.9]
TRAIN_ACCURACY = [0.4, 0.6, 0.8, 0.9, 0.95, 1.0]
KEPT = 12
"""The step of the best accuracy: the first of two equal ones."""


@pytest.fixture
def parts() -> Callable[..., list[Any]]:
    """The callbacks of a run, as the command line puts them together."""

    def make(patience: int = 9) -> list[Any]:
        best = ModelCheckpoint(
            "run/checkpoints", filename="best", monitor="val/accuracy", mode="max", save_weights_only=True,
            save_on_train_epoch_end=False, enable_version_counter=False,
        )  # fmt: skip
        stopping = EarlyStopping(monitor="val/accuracy", mode="max", patience=patience)
        return [RunReport("run"), LearningCurves("run"), stopping, best, LastCheckpoint("run/checkpoints")]

    return make


def curves_of(callbacks: list[Any]) -> LearningCurves:
    return next(callback for callback in callbacks if isinstance(callback, LearningCurves))


# ---------------------------------------------------------------------- the pure part


def test_curves_from_rows() -> None:
    """As a log has them: mixed, unordered, some columns missing."""
    losses = [{"step": step, "train/loss": 10.0 - step} for step in range(10, 0, -1)]
    found = curves(
        [
            {"step": 5, "val/loss": 6.0, "val/f1": 0.5},
            *losses,
            {"step": 10, "val/loss": 9.0, "val/f1": 0.25},
            {"step": 10, "train/f1": 0.75},
            {"step": 10, "other": 3.0},
        ],
        monitor="val/f1",
    )
    assert found.losses == [(step, 10.0 - step) for step in range(1, 11)]
    assert found.validation == [(5, 6.0), (10, 9.0)]
    # The mean of the steps around it, two on each side; of a straight line that is the line itself, but at its ends.
    assert dict(found.smoothed)[5] == pytest.approx(5.0)
    assert dict(found.smoothed)[10] == pytest.approx(1.0)
    assert found.gap == [(5, pytest.approx(1.0)), (10, pytest.approx(8.0))]
    assert found.metric == "val/f1"
    assert found.train_metric == [(10, 0.75)]
    assert found.validation_metric == [(5, 0.5), (10, 0.25)]
    assert found.at(10) == pytest.approx({"train/loss": 1.0, "val/loss": 9.0, "val/f1": 0.25, "gap": 8.0})


def test_a_later_row_wins() -> None:
    """A log that a resumed run appended to has steps twice."""
    found = curves([{"step": 1, "val/loss": 5.0}, {"step": 1, "val/loss": 4.0}])
    assert found.validation == [(1, 4.0)]


def test_the_loss_as_monitor_is_not_drawn_twice() -> None:
    found = curves([{"step": 1, "val/loss": 5.0, "train/loss": 4.0}], monitor="val/loss")
    assert found.metric is None
    assert not found.validation_metric
    assert found.gap == [(1, 1.0)]


def test_nothing_known() -> None:
    """A validation before training has no gap, and no rows give no curves."""
    found = curves([{"step": 0, "val/loss": 5.0}, {"step": 1, "train/loss": 4.0}])
    assert not found.gap
    assert found.at(0) == {"val/loss": 5.0}
    assert not curves([]).losses


def test_few_numbers_of_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run is thinned to means, and no step is lost or counted twice."""
    monkeypatch.setattr(history_module, "MOST_LOSSES", 100)
    history = History()
    for step in range(1, 1001):
        history.add_loss(step, torch.tensor(float(step)))
        if step == 321:  # in the middle of a mean
            other = History()
            other.load_state_dict(json.loads(json.dumps(history.state_dict())))
            history = other
    rows = history.rows()
    assert 50 <= len(rows) < 100
    width = rows[0]["step"]
    assert width == 16
    assert [row["step"] for row in rows] == [width * n for n in range(1, len(rows) + 1)]
    for row in rows:
        assert row["train/loss"] == row["step"] - (width - 1) / 2


# ---------------------------------------------------------------------- the run


def test_a_run(scripted: Any, fit: Any, parts: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The picture, the log and the summary."""
    callbacks = parts()
    with caplog.at_level(logging.INFO):
        fit(scripted(TRAIN, VALIDATION, ACCURACY, TRAIN_ACCURACY), *callbacks)
    assert Path("run/curves.png").read_bytes().startswith(PNG)
    assert not list(Path("run").glob("*.tmp"))
    assert read_checkpoint("run/checkpoints/best.ckpt")["global_step"] == KEPT

    found = curves(curves_of(callbacks).history.rows(), "val/accuracy")
    assert found.losses == [(step + 1, pytest.approx(loss)) for step, loss in enumerate(TRAIN)]
    ends = [4, 8, 12, 16, 20, 24]
    assert found.validation == [(s, pytest.approx(v)) for s, v in zip(ends, VALIDATION, strict=True)]
    assert found.validation_metric == [(s, pytest.approx(v)) for s, v in zip(ends, ACCURACY, strict=True)]
    assert found.train_metric == [(s, pytest.approx(v)) for s, v in zip(ends, TRAIN_ACCURACY, strict=True)]

    fit_summary = json.loads(Path("run/summary.json").read_text())["fit"]
    # Step 12 has the loss 2 - 0.05 x 11; around it lies a straight line.
    assert fit_summary["kept"] == pytest.approx(
        {"step": KEPT, "train/loss": 1.45, "val/loss": 1.4, "val/accuracy": 0.9, "gap": -0.05}
    )
    assert fit_summary["last"] == pytest.approx(
        {"step": 24, "train/loss": 0.9, "val/loss": 2.0, "val/accuracy": 0.9, "gap": 1.1}
    )
    assert (
        "Kept step 12 (val/accuracy 0.9000); train loss 1.4500, validation loss 1.4000 there: gap -0.0500; "
        "at the end 0.9000 and 2.0000." in caplog.messages
    )


def test_the_kept_step_and_the_reason(scripted: Any, fit: Any, parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the picture says, when early stopping ended the run."""
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr("pretune.cli.callbacks.curves.draw_curves", lambda *given: drawn.append(given))
    fit(scripted(TRAIN, VALIDATION, ACCURACY), *parts(patience=2))
    found, path, title, caption, kept = drawn[-1]
    assert path == Path("run/curves.png")
    assert "did not improve in the last 2 validations" in title
    assert kept == KEPT
    assert found.validation[-1][0] == 20
    assert caption.startswith("Kept step 12 (val/accuracy 0.9000)")


def test_the_best_is_the_last(scripted: Any, fit: Any, parts: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fit(scripted(TRAIN, [1.5, 1.2], [0.5, 0.6]), *parts())
    assert [line for line in caplog.messages if line.startswith("Kept step 8, the last validation (val/accuracy 0.6")]


def test_one_validation_and_none(scripted: Any, fit: Any, parts: Any) -> None:
    """Both can be drawn."""
    callbacks = parts()
    fit(scripted(TRAIN, [1.5], [0.5], [0.4]), *callbacks)
    assert Path("run/curves.png").read_bytes().startswith(PNG)
    assert len(curves(curves_of(callbacks).history.rows()).gap) == 1
    Path("run/curves.png").unlink()
    fit(scripted(TRAIN, [1.5], [0.5]), LearningCurves("run"), limit_val_batches=0)
    assert Path("run/curves.png").read_bytes().startswith(PNG)


def test_before_training(scripted: Any, fit: Any) -> None:
    """A whole validation before the first step is shown; one of some batches is not."""
    for batches, wanted in ((-1, [0, 4, 8]), (2, [4, 8])):
        callback = LearningCurves("run")
        fit(scripted(TRAIN, [1.5, 1.2], [0.5, 0.6]), callback, num_sanity_val_steps=batches)
        assert [step for step, _ in curves(callback.history.rows()).validation] == wanted


def test_accumulation(scripted: Any, fit: Any) -> None:
    """One loss for each optimizer step."""
    callback = LearningCurves("run")
    fit(scripted(TRAIN, [1.5, 1.2]), callback, accumulate_grad_batches=2)
    assert [step for step, _ in curves(callback.history.rows()).losses] == [1, 2, 3, 4]


def test_interrupted_and_resumed(
    scripted: Any, fit: Any, parts: Any, breaks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted run has its picture; a resumed one goes on with the curves, and knows what was kept before."""
    script = (TRAIN, VALIDATION, ACCURACY)
    whole = parts()
    fit(scripted(*script), *whole)
    wanted = curves_of(whole).history.rows()
    for file in Path("run").glob("**/*.*"):
        file.unlink()

    with pytest.raises(RuntimeError, match="broken off"):
        fit(scripted(*script), *parts(), breaks(18))
    assert Path("run/curves.png").read_bytes().startswith(PNG)

    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr("pretune.cli.callbacks.curves.draw_curves", lambda *given: drawn.append(given))
    resumed = parts()
    fit(scripted(*script), *resumed, resume="run/checkpoints/last.ckpt")
    assert curves_of(resumed).history.rows() == wanted
    assert drawn[-1][-1] == KEPT


def test_a_picture_is_worth_no_training(scripted: Any, fit: Any, parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure to draw is said, and nothing else is lost."""

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("pretune.cli.callbacks.curves.draw_curves", fail)
    with pytest.warns(UserWarning, match=r"curves\.png could not be drawn: no space left"):
        fit(scripted(TRAIN, [1.5, 1.2], [0.5, 0.6]), *parts())
    assert json.loads(Path("run/summary.json").read_text())["fit"]["kept"]["step"] == 8


def test_pictures_while_training(scripted: Any, fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as is asked for, and at the end."""
    drawn: list[str] = []
    monkeypatch.setattr("pretune.cli.callbacks.curves.draw_curves", lambda *given: drawn.append(given[2]))
    for seconds, wanted in ((-1.0, 3), (600.0, 1)):
        drawn.clear()
        fit(scripted(TRAIN, [1.5, 1.2]), LearningCurves("run", every_n_seconds=seconds))
        assert len(drawn) == wanted
        assert "max_epochs" in drawn[-1]


def test_regression_and_pretraining(encoder: Path, corpus: Path, tmp_path: Path) -> None:
    """Real modules: what they log is found under its name."""
    from pretune.datamodules import CorpusDataModule, TextClassificationDataModule
    from pretune.modules import MaskedLanguageModeling, TextClassification

    table = tmp_path / "table.csv"
    table.write_text("text,score\n" + "\n".join(f"word {'good ' * (i % 5)},{i % 5 + 0.5}" for i in range(60)) + "\n")
    for module, data, metric, on_train in (
        (
            TextClassification(str(encoder)),
            TextClassificationDataModule(str(table), label_column="score", batch_size=8, max_length=16),
            "val/pearson",
            True,
        ),
        (
            MaskedLanguageModeling(str(encoder)),
            CorpusDataModule(str(corpus), block_size=16, batch_size=8),
            None,
            False,
        ),
    ):
        callback = LearningCurves("run")
        trainer = Trainer(
            accelerator="cpu", callbacks=[callback], logger=False, enable_checkpointing=False, max_epochs=1,
            enable_progress_bar=False, enable_model_summary=False, limit_train_batches=4, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(module, data)
        found = curves(callback.history.rows(), module.monitor)
        assert [step for step, _ in found.losses] == [1, 2, 3, 4]
        assert len(found.gap) == 1
        assert found.metric == metric
        assert bool(found.train_metric) == on_train
