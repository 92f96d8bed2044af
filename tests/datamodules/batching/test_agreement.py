"""Processes that hold different data are told apart before they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from lightning.pytorch import LightningModule, Trainer
from tests_support import capitalized

from pretune.datamodules import CorpusDataModule, SentencePairDataModule, TextClassificationDataModule, loading
from pretune.datamodules.batching.agreement import difference, require_agreement
from pretune.errors import InputError

SAME = {"tokenizer": "t", "train data": "d"}


def test_who_differs_in_what() -> None:
    assert difference([("a", SAME), ("b", dict(SAME))]) is None
    others = [("a", SAME), ("b", {**SAME, "tokenizer": "u", "train data": "e"}), ("b", {**SAME, "tokenizer": "u"})]
    told = difference([*others, ("a", SAME), ("c", {**SAME, "tokenizer": "v"})])
    assert told is not None
    assert "the tokenizer of ranks 1-2, 4 (b, c) is another one than that of rank 0 (a)" in told
    told = difference([("a", SAME), ("a", {"tokenizer": "t"})])
    assert told is not None
    assert "the train data of rank 1 (a)" in told


def test_one_process_agrees() -> None:
    require_agreement(SAME)


def process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    require_agreement(SAME)
    try:
        require_agreement({**SAME, "train data": str(rank)})
    except InputError as error:
        Path(folder, f"{rank}.txt").write_text(str(error))
    dist.destroy_process_group()


def test_all_processes_are_stopped(tmp_path: Path) -> None:
    started: Any = mp.start_processes(process, (str(tmp_path),), nprocs=2, join=False, start_method="fork")
    while not started.join(60):
        pass
    told = [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert "the train data of rank 1" in told[0]


class Trace(LightningModule):
    """Trains nothing; the trainer alone is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.weight.sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize("kind", ["corpus", "packed", "pairs", "rows"])
def test_every_datamodule_says_what_it_holds(
    kind: str, corpus: Path, reviews: Path, tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same from two caches, and something else from other texts."""
    held: list[dict[str, str]] = []
    monkeypatch.setattr(loading, "require_agreement", held.append)
    texts = (" ".join(capitalized(i + j) for j in range(3)) for i in range(40))
    Path("texts.txt").write_text("\n\n".join(texts))

    def fit(cache: str, seed: int = 0) -> dict[str, str]:
        options: dict[str, Any] = {"tokenizer": str(tokenizer_folder), "cache_dir": str(tmp_path / cache), "seed": seed}
        if kind == "rows":
            columns = {"text_column": "review", "label_column": "stars"}
            data: Any = TextClassificationDataModule("reviews.csv", **columns, **options)
        elif kind == "pairs":
            data = SentencePairDataModule("texts.txt", max_length=24, **options)
        else:
            data = CorpusDataModule("corpus.txt", block_size=16, packing=kind == "packed", **options)
        held.clear()
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
        Trainer(max_steps=1, limit_val_batches=1, num_sanity_val_steps=0, **quiet).fit(Trace(), data)
        assert held
        return held[0]

    first = fit("one")
    assert first.keys() >= {"tokenizer", "train data", "number of train examples", "number of validation examples"}
    assert fit("two") == first
    if kind == "rows":
        Path("reviews.csv").write_text(Path("reviews.csv").read_text() + "One more film.,positive\n")
    else:
        name = "texts.txt" if kind == "pairs" else "corpus.txt"
        Path(name).write_text(Path(name).read_text() + "\n\nOne more film. Another film.\n")
    assert fit("two")["train data"] != first["train data"]
