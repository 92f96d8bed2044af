"""A prepared corpus behind HTTP: read in windows, each shard brought once an epoch."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from http_store import HttpStore, http_store  # type: ignore[import-not-found]
from prepared_corpora import write_prepared  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.batching.batch_plan import BatchPlan
from pretune.datamodules.prepared.sharded import Sharded
from pretune.errors import InputError
from pretune.storage.prepared import Shard, ShardFile
from pretune.storage.shard_files import LocalShards

SHARDS = 12


@pytest.fixture
def store(tmp_path: Path, tokenizer: Any) -> Iterator[HttpStore]:
    parts = [[sentence(number, 9) for number in range(begin, begin + 20)] for begin in range(0, 20 * SHARDS, 20)]
    write_prepared(tmp_path / "there", tokenizer, {"train": parts, "validation": [[sentence(5, 30)] * 4]})
    with http_store(tmp_path / "there") as store:
        yield store


def setup(store: HttpStore, **options: Any) -> CorpusDataModule:
    data = CorpusDataModule(**{"prepared": store.url, "block_size": 16, "batch_size": 4, **options})
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.mark.parametrize("packing", [False, True])
def test_each_shard_comes_once_an_epoch_and_the_cache_stays_small(store: HttpStore, packing: bool) -> None:
    data = setup(store, shuffle_window=2, packing=packing)
    largest = max(path.stat().st_size for path in store.folder.glob("train-*"))
    limit = 4 * (largest + 200) * (2 if packing else 1)
    data = setup(store, shuffle_window=2, cache_limit=limit / 1e9, packing=packing)
    whole = setup(store, shuffle_window=2, packing=packing, cache_dir="other")
    place = data.prepared.all[0].files.place  # type: ignore[union-attr]
    for path in place.glob("*.bin"):
        path.unlink()
    store.asked.clear()
    seen: list[torch.Tensor] = []
    for batch in data.train_dataloader():
        seen.append(batch["input_ids"])
        assert _held(place) <= limit
    assert Counter(n for n in store.asked if not n.endswith("ends.bin")) == {f"train-{i:05d}.bin": 1 for i in range(12)}
    expected = [batch["input_ids"] for batch in whole.train_dataloader()]
    assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))


def test_an_interrupted_epoch_goes_on_with_the_shards_it_needs(store: HttpStore) -> None:
    data = setup(store, shuffle_window=1)
    batches = list(data.train_dataloader())
    stopped = setup(store, shuffle_window=1)
    loader = stopped.train_dataloader()
    for _, _ in zip(range(len(batches) - 5), loader, strict=False):
        state = loader.state_dict()  # type: ignore[union-attr]
    again = setup(store, shuffle_window=1, cache_dir="another")
    store.asked.clear()
    resumed = again.train_dataloader()
    resumed.load_state_dict(state)  # type: ignore[union-attr]
    rest = list(resumed)
    assert [b["input_ids"].tolist() for b in rest] == [b["input_ids"].tolist() for b in batches[-5:]]
    assert len({name for name in store.asked if name.startswith("train")}) <= 4


def test_a_cache_that_holds_too_little_is_refused(store: HttpStore) -> None:
    with pytest.raises(InputError, match=r"data.cache_limit is 1e-06 GB, and 16 shards of http"):
        setup(store, cache_limit=1e-6)


def test_a_run(store: HttpStore, tiny: dict[str, Any], run: Callable[..., Any]) -> None:
    cli = run(
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={{config: {tiny}}}", "--data=CorpusDataModule",
        f"--data.prepared={store.url}", "--data.block_size=16", "--data.batch_size=8", "--trainer.max_steps=3",
    )  # fmt: skip
    assert Path(cli.run.folder, "export", "tokenizer.json").is_file()


def test_a_store_that_is_gone(store: HttpStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretune.storage.transfer.PATIENCE", 0.2)
    store.fault = lambda name, number: 503
    with pytest.raises(InputError, match=r"manifest.json cannot be read"):
        setup(store)


def _held(place: Path) -> int:
    """Bytes of the shards that are here; one may go while it is looked at."""
    held = 0
    for path in place.glob("*.bin"):
        with suppress(FileNotFoundError):
            held += path.stat().st_size
    return held


class Blocks:
    """So many blocks of one token."""

    def __init__(self, store: Any) -> None:
        self.ids = store.ids

    def __getitem__(self, indices: list[int]) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.from_numpy(np.asarray(self.ids[indices], np.int64)).unsqueeze(1)}


@pytest.mark.parametrize("window", [None, 8])
def test_a_billion_blocks(window: int | None) -> None:
    """The first batch comes within a second, and memory is that of a number for each shard (sparse files)."""
    count, each = 2_000, 500_000
    file = ShardFile(2 * each, "")
    Path("shards").mkdir()
    for number in range(count):
        with Path(f"shards/train-{number:05d}.bin").open("wb") as sparse:
            sparse.truncate(2 * each)
    shards = [Shard(f"train-{i:05d}", 1, each, {f"train-{i:05d}.bin": file}) for i in range(count)]
    files = LocalShards(Path("shards"), {name: f for s in shards for name, f in s.files.items()}, Path("checked"))
    files._marked = lambda mark, state: True  # type: ignore[method-assign, assignment]
    tracemalloc.start()
    begin = time.perf_counter()
    dataset = Sharded(files, shards, "uint16", [each] * count, Blocks, window)
    assert len(dataset) == 1_000_000_000
    plan = BatchPlan(len(dataset), 32, shuffle=True, order=dataset.order, world_size=8, rank=3)
    batch = dataset[next(iter(plan))]
    assert time.perf_counter() - begin < 1
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert batch["input_ids"].shape == (32, 1)
