"""The plan, duplicates and counts, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("datatrove")

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.preparing.corpus import corpus_of
from pretune.datamodules.preparing.duplicates import Signatures, minhash_config, removed_documents
from pretune.datamodules.preparing.plan import Portion, Unit, make_plan, plan_text, read_plan
from pretune.datamodules.preparing.tally import summed
from pretune.storage.prepared import Step


def plan(size: int, **options: Any) -> list[Portion]:
    return make_plan(corpus_of(CorpusDataModule(tokenizer={"train": "character"}, **options)), size)


def test_the_plan(tmp_path: Path) -> None:
    for name, count in (("a", 10), ("b", 20), ("c", 1_000), ("d", 30), ("e", 80)):
        (tmp_path / f"{name}.txt").write_text("1234\n" * count)
    (tmp_path / "v.txt").write_text("a\n")
    portions = plan(250, train_files="?.txt", validation_files="v.txt")
    train = [portion for portion in portions if portion.split == "train"]
    assert [portion.number for portion in train] == list(range(len(train)))
    place = str(tmp_path)
    assert train[0].units == [Unit(0, f"{place}/a.txt"), Unit(0, f"{place}/b.txt")]  # small ones share a portion
    assert train[1].units == [Unit(0, f"{place}/c.txt", 0, 250)]
    assert train[20].units == [Unit(0, f"{place}/c.txt", 4750, 5000)]
    assert train[21].units == [Unit(0, f"{place}/d.txt")]
    assert train[22].units == [Unit(0, f"{place}/e.txt")]  # 400 bytes are less than two portions
    assert portions[len(train) :] == [Portion("validation", 0, [Unit(0, f"{place}/v.txt")])]
    assert read_plan(plan_text(portions)) == portions
    assert portions[0].name == "train-00000"


def test_of_each_cluster_all_but_the_first_are_removed() -> None:
    pairs = np.array([(2, 5, 0, 7), (0, 7, 1, 0), (3, 3, 3, 4), (3, 4, 3, 3), (3, 4, 3, 9), (5, 1, 2, 5)], np.uint32)
    removed = {number: documents.tolist() for number, documents in removed_documents(pairs.reshape(-1))}
    assert removed == {1: [0], 2: [5], 3: [4, 9], 5: [1]}
    assert not list(removed_documents(np.zeros(0, np.uint32)))


@pytest.mark.parametrize(("threshold", "bands", "rows"), [(0.8, 16, 8), (1.0, 1, 128), (0.5, 42, 3), (0.01, 128, 1)])
def test_bands(threshold: float, bands: int, rows: int) -> None:
    config = minhash_config(threshold)
    assert (config.num_buckets, config.hashes_per_bucket) == (bands, rows)
    if threshold > 0.02:
        assert 1 - (1 - threshold**rows) ** bands >= 0.9


def test_signatures_of_long_texts_are_those_of_all_shingles(tmp_path: Path) -> None:
    signatures = Signatures(str(tmp_path), minhash_config(0.8))
    shingles = np.arange(1, 10_001, dtype=np.uint64).reshape(-1, 1)
    a, b = signatures.parameters
    hashes = (shingles * a + b) % np.uint64((1 << 61) - 1)
    assert np.concatenate(signatures.get_signature(shingles)).tolist() == hashes.min(axis=0).tolist()
    assert signatures.get_shingles("a b").shape == (1, 1)  # shorter than a shingle is one


def test_counts_add_up() -> None:
    first = [
        {"came": 10, "left_out": [["reading", {"blank": 2}], ["lengths", {"too short": 3}]]},
        {"came": 5, "left_out": [["reading", {}], ["lengths", {"too long": 1, "too short": 1}]]},
    ]
    then = [
        {"came": 0, "left_out": [["near duplicates", {"near duplicates": 4}]]},
        {"came": 0, "left_out": [["near duplicates", {}]]},
    ]
    assert summed(first, then) == [
        Step("reading", 15, 13, {"blank": 2}),
        Step("lengths", 13, 8, {"too long": 1, "too short": 4}),
        Step("near duplicates", 8, 4, {"near duplicates": 4}),
    ]
