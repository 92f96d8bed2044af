"""A run whose validation never came above what it was before training, or above a guess, says so at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from pretune.modules.metrics.majority import majority_scores

Fit = Callable[..., Any]


def test_what_the_most_frequent_label_scores() -> None:
    for counts in ([5, 3, 0, 2], [1, 1], [7]):
        asked = np.repeat(np.arange(len(counts)), counts)
        said = np.zeros_like(asked) + int(np.argmax(counts))
        found = majority_scores(counts)
        labels = np.unique(asked)
        assert found["accuracy"] == pytest.approx(accuracy_score(asked, said))
        assert found["f1"] == pytest.approx(f1_score(asked, said, average="macro", labels=labels))
        assert found["f1_weighted"] == pytest.approx(f1_score(asked, said, average="weighted", labels=labels))
        assert found["mcc"] == pytest.approx(matthews_corrcoef(asked, said))
    assert majority_scores([0, 0]) == {}


@pytest.fixture
def fit(encoder: Path, reviews: Path, run: Fit) -> Callable[..., dict[str, Any]]:
    def fitted(*args: str) -> dict[str, Any]:
        cli = run(
            "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=reviews.csv", "--data.label_column=stars", "--data.text_column=review",
            "--trainer.precision=32-true", "--early_stopping=null", *args,
        )  # fmt: skip
        found: dict[str, Any] = json.loads((cli.run.folder / "summary.json").read_text())
        return found

    return fitted


def test_a_run_in_vain(fit: Callable[..., dict[str, Any]]) -> None:
    with pytest.warns(UserWarning, match=r"nothing that was learned: the best val/accuracy, 0.5000, is "):
        found = fit("--trainer.max_steps=4", "--model.learning_rate=1e-9")
    sentence = found["fit"]["nothing_learned"]
    assert sentence.endswith(
        "no better than what it was before training (0.5000) and what always saying the most frequent label scores "
        "(0.5000)."
    )


def test_a_lower_loss_is_something(fit: Callable[..., dict[str, Any]]) -> None:
    found = fit("--trainer.max_steps=60", "--model.learning_rate=3e-3", "--model.monitor=val/loss")
    assert found["fit"]["best"] < found["before"]["val/loss"]
    assert "nothing_learned" not in found["fit"]
    with pytest.warns(UserWarning, match=r"the best val/loss, .* is no better than what it was before training \("):
        fit("--trainer.max_steps=9", "--model.learning_rate=1.0", "--model.monitor=val/loss", "--name=worse")


def test_a_part_of_the_validation_set_is_compared_with_itself_alone(fit: Callable[..., dict[str, Any]]) -> None:
    """The most frequent label of the whole set may be another one."""
    found = fit("--trainer.max_steps=2", "--model.learning_rate=1e-9", "--trainer.limit_val_batches=1")
    assert "most frequent" not in found["fit"]["nothing_learned"]
