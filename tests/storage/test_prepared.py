from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pretune.errors import InputError
from pretune.storage.prepared import (
    Manifest,
    PreparedTokenizer,
    Shard,
    ShardFile,
    Split,
    Step,
    read_manifest,
)


def manifest(**changes: Any) -> Manifest:
    files = {"train-00000.bin": ShardFile(12, "ab"), "train-00000.ends.bin": ShardFile(16, "cd")}
    made = Manifest(
        documents=2,
        tokens=6,
        dtype="uint16",
        separator=3,
        word_starts=False,
        tokenizer=PreparedTokenizer("tokenizer", "ef", 100, {"tokenizer.json": ShardFile(9, "0f")}),
        splits={"train": Split(2, 6, 4, 20, 0, [Shard("train-00000", 2, 6, files)])},
        left_out={"too short": 1},
        steps=[Step("cleaning", 3, 2, {"too short": 1})],
        options={"train_files": ["grüße.txt"]},
        fingerprint="01",
        made_with={"pretune": "0.1.0"},
    )
    return dataclasses.replace(made, **changes)


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    url = str(tmp_path / "corpus")
    manifest().write(url)
    assert read_manifest(url) == manifest()
    assert [path.name for path in Path(url).iterdir()] == ["manifest.json"]
    plain = json.loads(Path(url, "manifest.json").read_text(encoding="utf-8"))
    assert (plain["format"], plain["documents"], plain["splits"]["train"]["shards"][0]["files"]["train-00000.bin"]) == (
        1,
        2,
        {"size": 12, "hash": "ab"},
    )
    assert list(plain) == sorted(plain)


@pytest.mark.parametrize("url", ["memory://prepared-manifest", "file://{}"])
def test_urls(url: str, tmp_path: Path) -> None:
    url = url.format(tmp_path / "there")
    manifest(separator=None).write(url)
    assert read_manifest(url).separator is None


def test_what_is_no_prepared_corpus(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no prepared corpus: there is no manifest.json"):
        read_manifest(str(tmp_path))
    with pytest.raises(InputError, match=r"holds no prepared corpus"):
        read_manifest(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"nowhere://a cannot be reached"):
        read_manifest("nowhere://a")
    (tmp_path / "manifest.json").write_text('{"files": {}}')  # as entries of the cache have it
    with pytest.raises(InputError, match=r"is not the manifest of a corpus in format 1\."):
        read_manifest(str(tmp_path))
    (tmp_path / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(InputError, match=r"it says 2\): another version"):
        read_manifest(str(tmp_path))
    (tmp_path / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(InputError, match=r"is not JSON"):
        read_manifest(str(tmp_path))
    (tmp_path / "manifest.json").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"is not a text in UTF-8"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["dtype"], "float32", "dtype is 'float32'"),
        (["documents"], 3, "its numbers of documents do not add up"),
        (["documents"], "2", "documents is '2'"),
        (["word_starts"], True, "the files of train-00000 have other sizes"),
        (["tokenizer", "folder"], "../elsewhere", "tokenizer.folder is"),
        (["tokenizer"], None, "tokenizer. is no object"),
        (["splits", "train", "tokens"], 7, "its numbers of tokens do not add up"),
        (["splits", "train", "shards", 0, "tokens"], -6, r"splits.train.shards\[0\].tokens is -6"),
        (["splits", "train", "shards", 0, "name"], "../train", "a shard is named"),
        (["splits", "train", "shards", 0, "files", "train-00000.bin", "size"], 10, "have other sizes"),
        (["splits", "train", "shards", 0, "files"], [], r"files is '\[\]'"),
    ],
)
def test_damage_is_told(tmp_path: Path, path: list[Any], value: Any, told: str) -> None:
    plain: Any = json.loads(manifest().to_json())
    inside = plain
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    (tmp_path / "manifest.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match=f"manifest.json is damaged: .*{told}"):
        read_manifest(str(tmp_path))
    del inside[path[-1]]
    (tmp_path / "manifest.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match=r"manifest.json is damaged: .*(is missing|other sizes)"):
        read_manifest(str(tmp_path))
