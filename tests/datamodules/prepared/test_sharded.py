from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prepared_corpora import write_prepared  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.prepared import sharded


def texts(begin: int, end: int) -> list[str]:
    return [sentence(number, 5 + number % 7) for number in range(begin, end)]


PARTS = [texts(0, 30), texts(30, 31), texts(31, 70), texts(70, 85)]


@pytest.fixture
def prepared(tmp_path: Path, tokenizer: Any) -> str:
    write_prepared(tmp_path / "prepared", tokenizer, {"train": PARTS, "validation": [texts(85, 99)]}, words=True)
    return "prepared"


def made(**options: Any) -> CorpusDataModule:
    data = CorpusDataModule(block_size=16, batch_size=4, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def tokens(data: CorpusDataModule, split: str) -> list[int]:
    """All tokens of a split, in order, without special tokens and padding."""
    dataset, special = data.datasets[split], set(data.tokenizer.all_special_ids) - {data.tokenizer.sep_token_id}
    rows = dataset[list(range(len(dataset)))]["input_ids"].flatten().tolist()
    return [token for token in rows if token not in special]


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("hand", [64, 1])
def test_examples_of_all_shards(
    packing: bool, hand: int, prepared: str, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of the same text from files, but that none reaches from shard to shard; in any order, however few are
    at hand."""
    monkeypatch.setattr(sharded, "AT_HAND", hand)
    data = made(prepared=prepared, packing=packing, special_tokens=True)
    dataset = data.datasets["train"]
    alone = []
    for number, part in enumerate(PARTS):
        Path(f"part{number}.txt").write_text("\n".join(part) + "\n")
        one = made(
            train_files=f"part{number}.txt", validation_fraction=0.0, packing=packing, special_tokens=True,
            tokenizer=str(tokenizer_folder),
        ).datasets["train"]  # fmt: skip
        alone += [one[[index]] for index in range(len(one))]
    assert len(dataset) == len(alone)
    order = np.random.default_rng(0).permutation(len(alone)).tolist()
    for begin in range(0, len(order), 5):
        batch, expected = dataset[order[begin : begin + 5]], [alone[i] for i in order[begin : begin + 5]]
        for key in ("input_ids", *([] if packing else ["attention_mask"])):
            assert torch.equal(batch[key], torch.cat([row[key] for row in expected], dim=1 if packing else 0))
        if packing:
            assert batch["cu_seq_lens"][-1] == batch["input_ids"].shape[1]


def test_counts_are_those_of_the_manifest(prepared: str) -> None:
    data = made(prepared=prepared)
    assert data.counts["train"]["documents"] == 85
    assert data.counts["validation"]["documents"] == 14
    assert len(tokens(data, "train")) >= data.counts["train"]["tokens"]


def test_an_epoch_has_each_block_once_in_windows_too(prepared: str) -> None:
    for options in ({}, {"shuffle_window": 2}, {"shuffle_window": 0}):
        data = made(prepared=prepared, **options)
        data.take_share(0, 1)
        seen = [index for batch in data.train_dataloader().plan for index in batch]  # type: ignore[union-attr]
        assert sorted(seen) == list(range(len(data.datasets["train"])))
        assert seen != sorted(seen)


def test_word_ids_come_from_the_shards(prepared: str) -> None:
    batch = made(prepared=prepared, word_ids=True).datasets["train"][[0, 1]]
    assert (batch["word_ids"] >= -1).all()
    assert batch["word_ids"].max() > 3


def test_another_process_reads_the_same(prepared: str) -> None:
    dataset = made(prepared=prepared).datasets["train"]
    before = dataset[[0, 3]]["input_ids"]
    again = pickle.loads(pickle.dumps(dataset))
    assert not again._at_hand
    assert torch.equal(again[[0, 3]]["input_ids"], before)
