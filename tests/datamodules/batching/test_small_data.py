"""Batches and steps that are larger than the data."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pretune.datamodules import CorpusDataModule, TextClassificationDataModule


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What is printed as information."""
    caplog.set_level(logging.INFO)
    logging.getLogger("lightning.pytorch").propagate = True
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


def made(kind: Any, tokenizer_folder: Path, **options: Any) -> Any:
    data = kind(tokenizer=str(tokenizer_folder), validation_fraction=0.0, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def test_a_batch_shrinks_and_that_is_said_once(
    reviews: Path, corpus: Path, tokenizer_folder: Path, capsys: pytest.CaptureFixture[str], said: Callable[[], str]
) -> None:
    labeled = made(TextClassificationDataModule, tokenizer_folder, train_files="reviews.csv", batch_size=100)
    loader = labeled.train_dataloader()
    assert [len(batch["labels"]) for batch in loader] == [80]
    labeled.train_dataloader()
    line = (
        "There are 80 training examples, fewer than one batch of 100 (data.batch_size): a batch takes all of them, 80"
    )
    assert (said() + capsys.readouterr().err).count(line) == 1
    blocks = made(CorpusDataModule, tokenizer_folder, train_files="corpus.txt", block_size=64, batch_size=1000)
    (batch,) = blocks.train_dataloader()
    assert 0 < len(batch["input_ids"]) < 1000
    assert f"There are {len(batch['input_ids'])} training examples, fewer than one batch of 1,000" in (
        said() + capsys.readouterr().err
    )


def test_each_process_takes_its_part(reviews: Path, tokenizer_folder: Path, said: Callable[[], str]) -> None:
    found = []
    for rank in range(3):
        data = made(TextClassificationDataModule, tokenizer_folder, train_files="reviews.csv", batch_size=50)
        data.take_share(rank, 3)
        (batch,) = data.train_dataloader()
        found.append(len(batch["labels"]))
    assert sum(found) == 80
    assert "fewer than one batch of 50 on each of 3 processes" in said()


@pytest.mark.parametrize(
    ("options", "steps", "line"),
    [
        (("--data.batch_size=500",), 3, "fewer than one batch of 500"),
        (
            ("--data.batch_size=24", "--trainer.accumulate_grad_batches=64"),
            3,
            "An epoch has 3 batches, fewer than trainer.accumulate_grad_batches (64): a step takes all of them",
        ),
        (("--data.batch_size=500", "--trainer.val_check_interval=2"), 3, "validation takes place every 2 of them"),
        (("--data.batch_size=500", "--data.tokens_per_batch=9000"), 3, "train: 72 rows"),
    ],
)
def test_training(
    options: tuple[str, ...], steps: int, line: str, encoder: Path, reviews: Path, run: Any, said: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    cli = run(
        "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        "--data.train_files=reviews.csv", "--data.label_column=stars", "--trainer.max_epochs=3", *options,
    )  # fmt: skip
    assert cli.trainer.global_step == steps
    printed = capsys.readouterr()
    text = said() + printed.out + printed.err
    assert line in text
    assert ("fewer than one batch" in text) == (line.startswith("fewer") or "val_check" in options[-1])


def test_accumulated_steps_are_the_whole_set(encoder: Path, reviews: Path, run: Any) -> None:
    """Whether the set is one batch, or several that a step accumulates, the first step is the same."""
    weights = []
    for name, *options in (
        ("one", "--data.batch_size=500"),
        ("four", "--data.batch_size=20", "--trainer.accumulate_grad_batches=9"),
    ):
        cli = run(
            "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=reviews.csv", "--data.label_column=stars", "--trainer.max_epochs=1",
            "--model.backbone.dropout=0", "--model.optimizer=sgd", "--trainer.precision=64-true", f"--name={name}",
            "--trainer.num_sanity_val_steps=0", "--model.warmup=0", *options,
        )  # fmt: skip
        assert cli.trainer.global_step == 1
        weights.append(cli.model.model.classifier.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1])


def test_a_corpus_trains(corpus: Path, encoder: Path, run: Any) -> None:
    cli = run(
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
        "--data.train_files=corpus.txt", "--data.block_size=32", "--data.batch_size=5000", "--trainer.max_epochs=2",
    )  # fmt: skip
    assert cli.trainer.global_step == 2
    cli = run(
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
        "--data.train_files=corpus.txt", "--data.block_size=32", "--data.packing=true", "--data.batch_size=5000",
        "--trainer.max_epochs=2",
    )  # fmt: skip
    assert cli.trainer.global_step == 2
