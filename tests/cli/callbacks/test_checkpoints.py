"""What `last.ckpt` is saved with."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer


def test_what_was_logged_is_written_before_a_checkpoint(
    encoder: Path, reviews: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed right after it goes on from there, and logs nothing of before again."""
    rows, usual = [], Trainer.save_checkpoint

    def save(self: Trainer, path: Any, *args: Any, **options: Any) -> None:
        if Path(path).name == "last.ckpt":
            table = Path(path).parents[1] / "metrics.csv"
            rows.append(
                (self.global_step, len(list(csv.DictReader(table.open()))), len(self.loggers[1].experiment.metrics))
            )
        usual(self, path, *args, **options)

    monkeypatch.setattr(Trainer, "save_checkpoint", save)
    run(
        "fit", "--name=saved", "--model=TextClassification", f"--model.backbone={encoder}",
        "--data=TextClassificationDataModule", f"--data.train_files={reviews}", "--data.text_column=review",
        "--data.label_column=stars", "--data.batch_size=8", "--trainer.max_steps=3", "--trainer.log_every_n_steps=1",
        "--checkpoint.every_n_steps=1",
    )  # fmt: skip
    assert [step for step, _, _ in rows][:2] == [1, 2]
    assert all(number >= step for step, number, _ in rows)  # that of before training, and of each step but this one
    assert not any(waiting for _, _, waiting in rows)
