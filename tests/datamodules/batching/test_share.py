"""Which examples are this process's, where no trainer says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pretune.datamodules import TextClassificationDataModule
from pretune.errors import InputError


def data(reviews: Path, tokenizer_folder: Path) -> TextClassificationDataModule:
    found = TextClassificationDataModule(
        train_files=str(reviews), text_column="review", label_column="stars", tokenizer=str(tokenizer_folder),
        batch_size=4,
    )  # fmt: skip
    found.setup("fit")
    return found


def count(loader: Any) -> int:
    return sum(len(batch["labels"]) for batch in loader)


def test_torchrun_says_so_before_anything_is_initialized(
    reviews: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for rank in ("0", "1"):
        for name, value in (("TORCHELASTIC_RUN_ID", "job"), ("RANK", rank), ("WORLD_SIZE", "2")):
            monkeypatch.setenv(name, value)
        loader: Any = data(reviews, tokenizer_folder).train_dataloader()
        assert count(loader) == 36
        parts.append({number for batch in loader.plan for number in batch})
    assert len(parts[0]) == len(parts[1]) == 36
    assert parts[0] | parts[1] == set(range(72))


def test_a_loader_that_was_made_for_one_process_serves_no_other(
    reviews: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = data(reviews, tokenizer_folder)
    loader = found.train_dataloader()
    assert count(loader) == 72
    for name, value in (("TORCHELASTIC_RUN_ID", "job"), ("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="made for process 0 of 1, and this is process 1 of 2"):
        count(loader)
    found.take_share(0, 1)
    assert count(found.train_dataloader()) == 72


def test_what_is_told_comes_before_the_trainer(reviews: Path, tokenizer_folder: Path) -> None:
    found = data(reviews, tokenizer_folder)
    found.trainer = SimpleNamespace(global_rank=1, world_size=2)  # type: ignore[assignment]
    assert found.share() == (1, 2)
    found.take_share(0, 3)
    assert found.share() == (0, 3)
