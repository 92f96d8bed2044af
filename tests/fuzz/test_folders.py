"""Folders of data sets and networks, and lists of words."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import CSV, ROWS
from fuzz_mutations import EDITS, as_json, as_lines, changed, damaged, edited, written
from fuzzing import explore
from hypothesis import strategies as st

WORDS = "他们 12\n他\n什么 x\none\n" * 2


def held(folder: Path, name: str) -> dict[str, bytes]:
    return {f"{name}/{p.relative_to(folder)}": p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A data set written by `save_to_disk`."""
    folder = tmp_path_factory.mktemp("saved")
    data = datasets.Dataset.from_list(ROWS).class_encode_column("label")
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(folder)
    return held(folder, "folder")


SAVED = ["train/data-00000-of-00001.arrow", "train/dataset_info.json", "train/state.json", "dataset_dict.json"]


@pytest.mark.parametrize("name", SAVED)
def test_saved_data_sets(name: str, saved: dict[str, bytes], child: Child) -> None:
    place = f"folder/{name}"
    ways = damaged(saved[place])
    if name.endswith(".json"):
        ways = ways | changed(json.loads(saved[place])).map(as_json)
    explore(ways, lambda way: usable(child, "use_folder", {**saved, place: way}), 30)


@pytest.mark.parametrize("name", ["train.csv", "train.jsonl"])
def test_folders_of_files(name: str, child: Child) -> None:
    good = CSV.encode() if name.endswith(".csv") else as_lines(ROWS)
    explore(damaged(good), lambda way: usable(child, "use_folder", {f"folder/{name}": way}), 8)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_networks(name: str, encoder: Path, child: Child) -> None:
    files = held(encoder, "encoder")
    place = f"encoder/{name}"
    ways = damaged(files[place])
    if name == "config.json":
        ways = ways | changed(json.loads(files[place])).map(as_json)
    explore(ways, lambda way: usable(child, "load_backbone", {**files, place: way}), 30)


def test_words(child: Child) -> None:
    ways = st.tuples(written(WORDS), st.lists(EDITS, max_size=3)).map(lambda way: edited(*way))
    explore(ways, lambda way: usable(child, "use_words", {"words.txt": way}), 50)
