from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.batching.batch_plan import COMPUTED, MIXED, BatchPlan
from pretune.datamodules.batching.interleaving import Interleaved
from pretune.datamodules.batching.loader import ResumableLoader
from pretune.datamodules.batching.mixture import Mixture
from pretune.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    sizes = {"large.txt": 120, "small.txt": 12}
    for name, count in sizes.items():
        (tmp_path / name).write_text("\n".join(sentence(i, 9) + name[0] for i in range(count)))
    return list(sizes)


def make(files: list[str], tokenizer_folder: Path, weights: tuple[float, ...] = (1, 1), **options: Any) -> Any:
    sources: Any = [{"files": name, "weight": weight} for name, weight in zip(files, weights, strict=True)]
    options = {"validation_fraction": 0.0, "block_size": 16, "batch_size": 4, **options}
    data = CorpusDataModule(sources=sources, tokenizer=str(tokenizer_folder), **options)
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (0.2, 0.8)])
def test_shares_of_an_epoch_are_the_weights(files: list[str], tokenizer_folder: Path, weights: Any) -> None:
    data = make(files, tokenizer_folder, weights)
    mixture = data.datasets["train"]
    order = mixture.order(seed=0, epoch=0)
    assert len(order) == len(mixture)
    share = float((order < len(mixture.parts[0])).mean())
    assert share == pytest.approx(weights[0] / sum(weights), abs=1 / len(mixture))


def test_small_corpora_are_repeated_whole_and_large_ones_are_gone_through(
    files: list[str], tokenizer_folder: Path
) -> None:
    mixture = make(files, tokenizer_folder).datasets["train"]
    large, small = (len(part) for part in mixture.parts)
    seen: Counter[int] = Counter()
    for epoch in range(40):
        seen.update(mixture.order(seed=0, epoch=epoch).tolist())
        for part in (range(large), range(large, large + small)):
            times = [seen[i] for i in part]
            assert max(times) - min(times) <= 1  # nobody twice before everybody once
    assert min(seen.values()) >= 20


def test_order_differs_by_epoch_and_seed_only(files: list[str], tokenizer_folder: Path) -> None:
    mixture = make(files, tokenizer_folder).datasets["train"]
    first = mixture.order(seed=0, epoch=0)
    assert np.array_equal(first, mixture.order(seed=0, epoch=0))
    assert not np.array_equal(first, mixture.order(seed=0, epoch=1))
    assert not np.array_equal(first, mixture.order(seed=1, epoch=0))


@pytest.mark.parametrize("packing", [False, True])
def test_batches_hold_what_the_parts_hold(files: list[str], tokenizer_folder: Path, packing: bool) -> None:
    data = make(files, tokenizer_folder, packing=packing, block_size=40)
    mixture = data.datasets["train"]
    batch = mixture[[0, len(mixture) - 1, 1]]
    alone = [mixture[[i]]["input_ids"][0] for i in (0, 1, len(mixture) - 1)]
    if packing:
        assert torch.equal(batch["input_ids"][0], torch.cat(alone))
        assert batch["cu_seq_lens"][-1] == batch["input_ids"].shape[1]
        assert (batch["position_ids"][0][batch["cu_seq_lens"][:-1].long()] == 0).all()
        assert int((batch["position_ids"] == 0).sum()) == len(batch["cu_seq_lens"]) - 1
    else:
        assert torch.equal(batch["input_ids"], torch.stack(alone))


def test_every_part_gives_documents_to_validate_on(files: list[str], tokenizer_folder: Path) -> None:
    data = make(files, tokenizer_folder, validation_fraction=0.2)
    assert len(data.datasets["validation"].parts) == 2
    assert data.counts["validation"]["documents"] == 24 + 2
    assert data.counts["train"]["documents"] == 96 + 10


def test_dead_ends(files: list[str], tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=r"data\.sources excludes data\.train_files"):
        make(files, tokenizer_folder, train_files="large.txt")
    with pytest.raises(InputError, match=r"data.sources\[1\] needs"):
        make(files, tokenizer_folder, (1.0, 0.0))
    with pytest.raises(InputError, match=r"no file gone.txt"):
        make(["gone.txt"], tokenizer_folder, (1.0,))


class Numbered:
    """So many examples."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size


def test_the_order_of_many_is_computed_but_where_an_earlier_version_began() -> None:
    mixture = Mixture([Numbered(3_000_000), Numbered(200_000)], [3, 1])
    order = mixture.order(seed=0, epoch=1)
    assert isinstance(order, Interleaved)
    share = float((order[:40_000] < 3_000_000).mean())
    assert share == pytest.approx(0.75, abs=0.02)
    before = mixture.order(seed=0, epoch=1, made=COMPUTED)
    assert isinstance(before, np.ndarray)
    plan = BatchPlan(len(mixture), 32, shuffle=True, order=mixture.order)
    ours = next(iter(plan))
    loader = ResumableLoader(mixture, plan)
    loader.load_state_dict({"epoch": 1, "position": 0, "cut": asdict(plan.own), "before": []})
    assert next(iter(plan)) == before[:32].tolist() != ours
    assert loader.state_dict()["made"] == COMPUTED
    plan.set_epoch(2)  # what comes after goes on in the new way
    assert isinstance(plan.layout().order, Interleaved)
    assert loader.state_dict()["made"] == MIXED
