"""Tiny, hand-made material: no network, no GPU, nothing outside the repository."""

from __future__ import annotations

import logging
import os
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # sums depend on the number of threads, in the last bit
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning_messages  # type: ignore[import-not-found]  # noqa: F401
import pytest
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from tests_support import sentence

from pretune.main import main
from pretune.text.progress import Bar

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty folder of its own, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRETUNE_CACHE", str(tmp_path / "cache"))


CLOCK = (time.sleep, time.monotonic)
LOGS = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric", "pretune", None)]


def _hearing() -> dict[str, Any]:
    """What decides whether a test hears what is said."""
    return {
        "levels": [(log.name, log.level, log.disabled, log.propagate) for log in LOGS],
        "nothing up to": logging.root.manager.disable,
        "rank": rank_zero_only.rank,
        "bar in the terminal": Bar._shown,
    }


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """What a run leaves in its process ends with its test.

    Lightning keeps a group of processes until the interpreter ends, and the port of its store in the environment: the
    processes that a later test forks would meet at that store, read addresses of the dead, and wait for half an hour.
    """
    assert (time.sleep, time.monotonic) == CLOCK, "an earlier test has left its own clock to this process"
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK"):
        os.environ.pop(name, None)  # of a run in a fixture that several tests share
    before, hearing = dict(os.environ), _hearing()
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    os.environ.clear()
    os.environ.update(before)
    assert _hearing() == hearing, "this test leaves its process deaf to what later tests listen to"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text file of 240 lines."""
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(sentence(i, 6 + i % 9) for i in range(240)) + "\n")
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A table of 80 reviews, which a word tells apart."""
    path = tmp_path / "reviews.csv"
    rows = [
        f"{sentence(i, 4 + i % 7)} {'good' if i % 2 else 'bad'},{'positive' if i % 2 else 'negative'}"
        for i in range(80)
    ]
    path.write_text("review,stars\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WordPiece tokenizer trained on the sentences above."""
    from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(
        TrainTokenizer("wordpiece", 200, min_frequency=1), iter([sentence(i, 12) for i in range(99)]), folder
    )
    return folder


@pytest.fixture
def tokenizer(tokenizer_folder: Path) -> Any:
    """That tokenizer, loaded."""
    from pretune.text.tokenizer import load_tokenizer

    return load_tokenizer(str(tokenizer_folder))


TINY = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The configuration of a BERT that trains in no time."""
    return dict(TINY)


@pytest.fixture
def encoder(tokenizer: Any, tmp_path: Path) -> Path:
    """A folder with an untrained BERT and its tokenizer, as the hub would have it."""
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    options = {k: v for k, v in TINY.items() if k != "model_type"}
    folder = tmp_path / "encoder"
    BertForMaskedLM(BertConfig(vocab_size=256, **options)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def mine(encoder: Path, reviews: Path) -> Path:
    """The configuration of a classifier that learns from these reviews, to be added to."""
    path = Path("mine.yaml")
    path.write_text(
        f"""
model:
  class_path: TextClassification
  init_args: {{backbone: {encoder}}}
data:
  class_path: TextClassificationDataModule
  init_args: {{train_files: {reviews.name}, text_column: review, label_column: stars}}
"""
    )
    return path


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail; returns its one message."""

    def run(*args: Any) -> str:
        with pytest.raises(SystemExit) as caught:
            main([str(arg) for arg in args])
        assert caught.value.code not in (0, None)
        printed = capsys.readouterr().err
        message = caught.value.code if isinstance(caught.value.code, str) else printed.strip().splitlines()[-1]
        assert "Traceback" not in printed
        assert message.startswith("error: ")
        return message

    return run


def run(*args: Any) -> Any:
    """Runs a command of the real command line, quietly and on the CPU."""
    fixed: Sequence[str] = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")
    return main([*(str(arg) for arg in args), *fixed])


@pytest.fixture(name="run")
def run_fixture() -> Callable[..., Any]:
    """The function `run`."""
    return run
