"""The progress bar looks at the loss now and then; nothing else of a run makes a step wait for its device."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pretune.cli.callbacks import progress_bar
from pretune.main import main


@pytest.mark.parametrize("bar", ["false", "true"])
def test_no_step_reads_a_number(bar: str, corpus: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    for name in ("item", "tolist", "__float__", "__int__", "numpy"):
        plain = getattr(torch.Tensor, name)

        def counted(tensor: Any, *args: Any, plain: Any = plain, name: str = name) -> Any:
            read.append(name)
            return plain(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, counted)
    monkeypatch.setattr(progress_bar, "READ_EVERY", 1e9)
    monkeypatch.setenv("FORCE_COLOR", "1")  # so rich takes any output for a terminal

    def reads(steps: int) -> int:
        """Numbers that are read in a run; after the sixth step they are logged."""
        read.clear()
        main(
            [
                "fit",
                f"--name=reads-{steps}",
                "--model=MaskedLanguageModeling",
                f"--model.backbone={encoder}",
                "--data=CorpusDataModule",
                f"--data.train_files={corpus}",
                "--data.block_size=16",
                "--data.batch_size=4",
                f"--trainer.max_steps={steps}",
                "--trainer.limit_val_batches=0",
                "--trainer.log_every_n_steps=6",
                "--trainer.precision=32-true",
                "--trainer.accelerator=cpu",
                f"--trainer.enable_progress_bar={bar}",
            ]
        )
        return len(read)

    assert reads(11) == reads(7) > 0


def test_what_the_bar_shows(
    corpus: Path, encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress_bar, "DRAWN_EVERY", 0.0)
    monkeypatch.setattr(progress_bar, "READ_EVERY", 0.0)
    cli: Any = main(
        [
            "fit",
            "--model=MaskedLanguageModeling",
            f"--model.backbone={encoder}",
            "--data=CorpusDataModule",
            f"--data.train_files={corpus}",
            "--data.block_size=16",
            "--trainer.max_steps=3",
            "--trainer.log_every_n_steps=2",
            "--trainer.limit_val_batches=0",
            "--trainer.accelerator=cpu",
        ]
    )
    shown = capsys.readouterr().out
    assert f"train/loss: {float(cli.model.last_loss):.3f}" in shown
    assert "tokens/s: " in shown


def test_in_a_file_there_is_no_bar(corpus: Path, encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["fit", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule"]
    args += [f"--data.train_files={corpus}", "--data.block_size=16", "--trainer.max_steps=1"]
    main([*args, "--trainer.accelerator=cpu"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("epochs", "shown"), [(3, "Epoch 1/3"), (-1, "Epoch 1"), (None, "Epoch 1")])
def test_epochs_count_from_one(epochs: int | None, shown: str) -> None:
    bar = progress_bar.RunProgressBar()
    bar._trainer = SimpleNamespace(max_epochs=epochs)  # type: ignore[assignment]
    assert bar._get_train_description(0) == shown


def test_a_narrow_terminal_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    column = progress_bar._Measures(SimpleNamespace(), "", "  ", ".3f")  # type: ignore[arg-type]
    monkeypatch.setattr(progress_bar.MetricsTextColumn, "render", lambda self, task: Text("train/loss: 1.000  " * 9))
    console = Console(width=40, file=io.StringIO())
    grid = Table.grid()
    grid.add_row(column.render(None))
    console.print(grid)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.count("\n") == 1
    assert shown.rstrip().endswith("…")


def test_predictions_are_told_in_lines_without_a_terminal(
    mine: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A log of a night has a line now and then; `test` and `predict` alike."""
    fixed = ("--config", str(mine), "--trainer.accelerator", "cpu")
    main(["fit", *fixed, "--trainer.max_steps=1", "--export_check=false"])
    monkeypatch.setattr("pretune.text.progress.PATIENCE", 0.0)
    monkeypatch.setattr("pretune.text.progress.LINES_EVERY", 0.0)
    caplog.clear()
    main(["predict", *fixed, "--data.predict_files=reviews.csv", "--data.batch_size=16"])
    assert any(re.match(r"predicting: 5 of 5 \(100%\) batches, ", message) for message in caplog.messages)
    main(["test", *fixed, "--data.test_files=reviews.csv", "--data.batch_size=16"])
    assert any(re.match(r"testing: \d+ of \d+ \(\d+%\) batches, ", message) for message in caplog.messages)
