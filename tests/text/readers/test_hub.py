from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from pretune.datamodules.sources import Hub
from pretune.errors import InputError
from pretune.text.hub_access import Access
from pretune.text.readers import hub, load_hub, pick_split

ROWS = {"text": ["a", "b"], "label": [0, 1]}


def test_local_folders_of_the_hubs_shape(tmp_path: Path) -> None:
    data = datasets.Dataset.from_dict(ROWS)
    data.to_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet")
    data.to_json(tmp_path / "plain/test.jsonl")
    datasets.DatasetDict({"train": data}).save_to_disk(str(tmp_path / "disk"))
    assert load_hub("hub")["train"][1] == {"text": "b", "label": 1}
    assert load_hub("plain")["test"][0]["text"] == "a"
    data.save_to_disk(str(tmp_path / "single"))
    assert len(load_hub("disk")["train"]) == 2
    assert len(load_hub("single")["train"]) == 2


def test_what_cannot_be_had_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"'nobody/nothing' cannot be loaded.*train_files"):
        load_hub("nobody/nothing")


def test_a_local_folder_with_a_folder_for_each_subset(tmp_path: Path) -> None:
    for subset in ("one", "two"):
        (tmp_path / "glue" / subset).mkdir(parents=True)
        (tmp_path / "glue" / subset / "train.jsonl").write_text(f'{{"text": "{subset}"}}\n')
    assert load_hub("glue", "two")["train"]["text"][:] == ["two"]


def test_a_branch_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, str | None]] = []

    def load(name: str, subset: str | None, revision: str | None) -> datasets.DatasetDict:
        asked.append((name, subset, revision))
        if revision is None:
            raise RuntimeError("Dataset scripts are no longer supported, but found ner.py")
        return datasets.DatasetDict({"train": datasets.Dataset.from_dict(ROWS)})

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(hub, "access", lambda name, revision, kind: Access(None, False))
    with pytest.raises(InputError, match="some/ner@refs/convert/parquet may have its rows"):
        load_hub("some/ner", "all")
    assert len(load_hub("some/ner@refs/convert/parquet")["train"]) == 2
    assert asked == [("some/ner", "all", None), ("some/ner", None, "refs/convert/parquet")]


@pytest.mark.parametrize(
    ("name", "subset", "why"),
    [
        ("./nowhere", None, "there is no folder .*/nowhere"),
        ("empty", None, "doesn't contain any data files"),
        ("broken", None, "JSON parse error"),
        ("good", "other", "'other' is not found; data.subset may be: default"),
    ],
)
def test_local_folders_that_cannot_be_read(name: str, subset: str | None, why: str, tmp_path: Path) -> None:
    for folder, content in (("good", '{"a": 1}'), ("broken", "{broken")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.jsonl").write_text(content + "\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}'.* cannot be loaded: .*{why}") as caught:
        load_hub(name, subset)
    assert "\n" not in str(caught.value)


def test_importing_the_readers_does_not_import_datasets() -> None:
    code = "import sys, pretune.text.readers.hub; print('datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_splits() -> None:
    assert pick_split(["train", "dev"], None, "validation") == "dev"
    assert pick_split(["train", "validation_matched"], None, "validation") == "validation_matched"
    assert pick_split(["train"], None, "test") is None
    assert pick_split(["train", "extra"], "extra", "train") == "extra"
    with pytest.raises(InputError, match="'tset'; the data set has: train, test"):
        pick_split(["train", "test"], "tset", "test")


def test_a_local_folder_whose_files_have_another_content(tmp_path: Path) -> None:
    """Of the same size and time: `datasets` would give the rows that it has kept."""
    file = tmp_path / "set" / "train.csv"
    file.parent.mkdir()
    file.write_text("text,label\na,pos\n")
    stat = file.stat()
    before = Hub(str(file.parent))
    assert [row["label"] for _, row in before.rows("train")] == ["pos"]
    key = before.key("train")
    file.write_text("text,label\na,neg\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = Hub(str(file.parent))
    assert [row["label"] for _, row in after.rows("train")] == ["neg"]
    assert after.key("train") != key
