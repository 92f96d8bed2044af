from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from pretune.datamodules.readers import load_hub, pick_split
from pretune.errors import InputError

ROWS = {"text": ["a", "b"], "label": [0, 1]}


def test_local_folders_of_the_hubs_shape(tmp_path: Path) -> None:
    data = datasets.Dataset.from_dict(ROWS)
    data.to_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet")
    data.to_json(tmp_path / "plain/test.jsonl")
    datasets.DatasetDict({"train": data}).save_to_disk(str(tmp_path / "disk"))
    assert load_hub("hub")["train"][1] == {"text": "b", "label": 1}
    assert load_hub("plain")["test"][0]["text"] == "a"
    assert len(load_hub("disk")["train"]) == 2


def test_what_cannot_be_had_is_one_sentence() -> None:
    with pytest.raises(InputError, match="'nobody/nothing' cannot be loaded.*train_files"):
        load_hub("nobody/nothing")


def test_splits() -> None:
    assert pick_split(["train", "dev"], None, "validation") == "dev"
    assert pick_split(["train", "validation_matched"], None, "validation") == "validation_matched"
    assert pick_split(["train"], None, "test") is None
    assert pick_split(["train", "extra"], "extra", "train") == "extra"
    with pytest.raises(InputError, match="'tset'; the data set has: train, test"):
        pick_split(["train", "test"], "tset", "test")
