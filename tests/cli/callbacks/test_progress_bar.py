"""The progress bar looks at the loss now and then; nothing else of a run makes a step wait for its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

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
