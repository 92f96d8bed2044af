"""Scores of a test are of the weights that a run comes to, and say of which; an unfinished run is called so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.run_state import mention_end

RUN = Path("runs/r/version_0")


def summary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RUN / "summary.json").read_text())
    return found


@pytest.fixture
def command(encoder: Path, reviews: Path, run: Callable[..., Any]) -> Callable[..., Any]:
    def called(verb: str, *args: str) -> Any:
        return run(
            verb, "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=reviews.csv", "--data.test_files=reviews.csv", "--data.label_column=stars",
            "--data.text_column=review", "--trainer.precision=32-true", "--early_stopping=null", "--name=r",
            "--model.learning_rate=3e-3", "--export_check=false", *args,
        )  # fmt: skip

    return called


def test_scores_go_with_the_weights_that_they_are_of(
    command: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    command("fit", "--trainer.max_steps=4")
    command("test")
    before = summary()["test"]
    step = summary()["fit"]["kept"]["step"]
    assert before["scored"] == {"checkpoint": "best.ckpt", "step": step, "files": "reviews.csv"}
    assert "is unfinished" not in caplog.text
    command("fit", "--trainer.max_steps=4", "--ckpt_path=last")  # nothing is left to train
    assert summary()["test"] == before
    command("fit", "--trainer.max_steps=40", "--ckpt_path=last")
    assert "test" not in summary()
    assert f"The scores of the test of best.ckpt (step {step}) are taken out of" in caplog.text
    command("test")
    assert summary()["test"]["scored"]["step"] == summary()["fit"]["kept"]["step"]
    assert summary()["test"]["test/accuracy"] > before["test/accuracy"]


def test_other_best_weights_take_them_out(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a test in the middle of the training, by another process."""
    from lightning.pytorch import Callback

    from pretune.cli.pretune_cli import PretuneCLI

    class Tested(Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            path = RUN / "summary.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "test": {"test/accuracy": 0.24}}))

    plain = PretuneCLI._callbacks
    monkeypatch.setattr(PretuneCLI, "_callbacks", lambda self: [*plain(self), Tested()])
    command("fit", "--trainer.max_steps=2")
    assert "test" not in summary()


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ({"status": "interrupted", "stopped": "SIGTERM at step 5."}, "is unfinished (SIGTERM at step 5):"),
        ({"status": "failed", "stopped": "OSError: full at step 5."}, "has failed (OSError: full at step 5):"),
        ({"status": "running"}, "is unfinished (it was killed):"),
        ({"status": "finished"}, ""),
        ({}, ""),
    ],
)
def test_a_run_that_did_not_come_to_its_end_is_called_so(
    fit: dict[str, str], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"fit": fit}))
    mention_end(tmp_path)
    assert (words in caplog.text) if words else not caplog.text


def test_evaluating_it_says_so_and_goes_on(command: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    command("fit", "--trainer.max_steps=2")
    Path(RUN, "summary.json").write_text(json.dumps({"fit": {"status": "interrupted", "stopped": "SIGTERM"}}))
    for verb in (("test",), ("predict", "--data.predict_texts=[a good film]")):
        caplog.clear()
        command(*verb)
        assert "version_0 is unfinished (SIGTERM): these weights are" in caplog.text
    assert "test/accuracy" in summary()["test"]
