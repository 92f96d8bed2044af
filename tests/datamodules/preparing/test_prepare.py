from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("datatrove")

from preparing_support import (  # type: ignore[import-not-found]
    CHARACTERS,
    content,
    documents,
    run,
    sentences,
    tokens,
    write_jsonl,
)

from pretune.datamodules import Cleaning, CorpusDataModule
from pretune.errors import InputError
from pretune.storage.cache import TokenStore
from pretune.storage.prepared import read_manifest


def is_wanted(text: str) -> bool:
    return "birds" in text


EVERYTHING: dict[str, Any] = {
    "min_characters": 60,
    "max_characters": 170,
    "exact_duplicates": True,
    "near_duplicates": 0.8,
    "filter": is_wanted,
    "rules": ["fineweb_quality"],
}


@pytest.fixture
def mixed(tmp_path: Path) -> dict[str, Any]:
    """A corpus with all that can be left out, in files that are divided, and in small ones."""
    draw = random.Random(3)
    lines = [f"{text}." for text in sentences(300, least=4)]
    lines += draw.sample(lines, 40) + [f"{text} again." for text in draw.sample(lines, 40)] + ["", "no mark " * 20]
    draw.shuffle(lines)
    (tmp_path / "a.txt").write_text("\n".join(lines[:250]))
    write_jsonl(tmp_path / "b.jsonl", lines[200:])
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress("\n".join(lines[100:160]).encode()))
    return {"train_files": ["a.txt", "b.jsonl", "c.txt.gz"], "tokenizer": CHARACTERS, "validation_fraction": 0.2}


def test_the_same_bytes_for_any_number_of_tasks(mixed: dict[str, Any]) -> None:
    made = [run(f"out{tasks}", tasks, cleaning=Cleaning(**EVERYTHING), **mixed) for tasks in (1, 3, 7)]
    assert content("out1") == content("out3") == content("out7")
    manifest = made[0].manifest
    assert manifest == read_manifest("out1")
    assert set(content("out1")) >= {"manifest.json", "tokenizer/tokenizer.json", "train-00000.bin"}
    assert not Path("out1", "unfinished").exists()
    assert len(manifest.splits["train"].shards) > 10
    assert [step.step for step in manifest.steps] == [
        "reading", "lengths", "exact duplicates", "fineweb_quality", "filter", "near duplicates",
    ]  # fmt: skip
    assert all(sum(step.left_out.values()) > 0 for step in manifest.steps)
    assert manifest.steps[-1].documents_out == manifest.documents > 20
    assert manifest.left_out["fineweb_quality: line_punct_ratio"] >= 1
    for step, following in zip(manifest.steps, manifest.steps[1:], strict=False):
        assert step.documents_in - sum(step.left_out.values()) == step.documents_out == following.documents_in


@pytest.mark.slow
def test_the_same_bytes_in_several_processes(mixed: dict[str, Any]) -> None:
    cleaning = Cleaning(**{**EVERYTHING, "filter": None})  # processes do not see this file
    for tasks, workers in ((1, 1), (5, 2)):
        run(f"out{workers}", tasks, workers, cleaning=cleaning, **mixed)
    assert content("out1") == content("out2")


# ------------------------------------------------------------------ what a training reads


def write_paragraphs(path: Path, texts: list[str]) -> None:
    path.write_text("\n\n".join(texts))


def write_csv(path: Path, texts: list[str]) -> None:
    path.write_text("text,other\n" + "".join(f'"{text}\nand ""more""",x\n' for text in texts))


def write_parquet(path: Path, texts: list[str]) -> None:
    pq.write_table(pa.table({"text": texts}), path, row_group_size=40)


def write_gzip(path: Path, texts: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join(texts).encode()))


@pytest.mark.parametrize(
    ("name", "write", "options"),
    [
        ("a.txt", lambda path, texts: path.write_text("\n".join([*texts, "", "中文 字", " "])), {}),
        ("a.txt", write_paragraphs, {"documents": "paragraph", "word_ids": True}),
        ("a.txt", write_paragraphs, {"documents": "file", "validation_files": "v.txt", "test_files": "v.txt"}),
        ("a.jsonl", write_jsonl, {"cleaning": {"min_characters": 90, "exact_duplicates": True, "filter": is_wanted}}),
        ("a.csv", write_csv, {"cleaning": {"rules": ["c4_quality"]}}),
        ("a.parquet", write_parquet, {}),
        ("a.txt.gz", write_gzip, {"cleaning": {"exact_duplicates": True}, "seed": 5}),
    ],
)
def test_the_documents_and_tokens_of_a_training(
    tmp_path: Path, tokenizer_folder: Path, name: str, write: Callable[[Path, list[str]], None], options: dict[str, Any]
) -> None:
    texts = [f"{text}.\n{text} once. A second is here. A third is. A fourth is. A fifth is." for text in sentences(200)]
    texts = texts if name != "a.txt.gz" and options else [text.replace("\n", " ") for text in texts]
    write(tmp_path / name, [*texts, *texts[:20]])
    (tmp_path / "v.txt").write_text("\n".join(sentences(9, seed=1)))
    options = {"train_files": name, "tokenizer": str(tokenizer_folder), "validation_fraction": 0.0, **options}
    if "cleaning" in options:
        options["cleaning"] = Cleaning(**options["cleaning"])
    data = CorpusDataModule(**options)
    data.load_tokenizer()
    manifest = run("out", size=3_000, **options).manifest
    for split in ("train", *(split for split in ("validation", "test") if f"{split}_files" in options)):
        folder = data._tokenized(data.source, split).folder  # type: ignore[union-attr]
        store = TokenStore(folder, split)
        ids, lengths = tokens("out", manifest, split)
        assert ids.tolist() == store.ids.tolist()
        assert lengths.tolist() == store.lengths.tolist()
        report = json.loads((folder / "report.json").read_text())[split]
        found = manifest.splits[split]
        counts = {name: getattr(found, name) for name in ("documents", "tokens", "words", "bytes", "unknown")}
        assert counts == report["counts"]
        if options.get("word_ids"):
            starts = [np.fromfile(f"out/{shard.name}.starts.bin", np.uint8) for shard in found.shards]
            assert np.concatenate(starts).tolist() == store.starts.tolist()
        if split == "train":
            assert manifest.left_out == report["skipped"]
    assert manifest.tokenizer.hash == data.tokenizer_key()
    assert set(manifest.splits) == {"train", *(("validation", "test") if "test_files" in options else ())}


def test_sources_come_one_after_the_other(tmp_path: Path) -> None:
    texts = sentences(90)
    (tmp_path / "a.txt").write_text("\n".join(texts[:50]))
    write_jsonl(tmp_path / "b.jsonl", texts[40:])
    sources = [{"files": "b.jsonl"}, {"files": "a.txt"}]
    options: dict[str, Any] = {"tokenizer": CHARACTERS, "validation_fraction": 0.0}
    made = run("out", sources=sources, cleaning=Cleaning(exact_duplicates=True), **options)
    assert documents("out", made.manifest) == [*texts[40:], *texts[:40]]
    with pytest.raises(InputError, match=r"data.sources have weights"):
        run("other", sources=[{**sources[0], "weight": 2}, sources[1]], **options)
    assert not Path("other").exists()


def test_a_data_set_by_rows(tmp_path: Path) -> None:
    texts = sentences(120)
    (tmp_path / "set").mkdir()
    pq.write_table(pa.table({"body": [*texts, ""]}), tmp_path / "set" / "train.parquet")
    made = run(
        "out", dataset="./set", tokenizer=CHARACTERS, validation_fraction=0.0, size=3_000, **{"text_column": "body"}
    )
    assert documents("out", made.manifest) == texts
    assert len(made.manifest.splits["train"].shards) >= 3
    assert made.manifest.left_out == {"blank": 1}


# ------------------------------------------------------------------ duplicates and the held-out part


def near(text: str) -> str:
    return f"{text} with a new end"


def test_the_first_of_near_copies_stays(tmp_path: Path) -> None:
    texts = sentences(60, least=28)
    orders = [[*texts, *map(near, texts)], [*map(near, texts), *texts]]
    for number, lines in enumerate(orders):
        (tmp_path / f"{number}.txt").write_text("\n".join([*lines, lines[0]]))
        options: dict[str, Any] = {"train_files": f"{number}.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.0}
        made = run(f"out{number}", cleaning=Cleaning(near_duplicates=0.7), **options)
        left = documents(f"out{number}", made.manifest)
        assert left == [line for line in lines if line in set(left)]
        assert len(left) <= 61
        assert set(lines[:60]) <= set(left)  # all that come first; one pair or the other may be missed
        assert made.manifest.left_out == {"near duplicates": 121 - len(left)}


def test_a_document_that_is_filtered_takes_no_others_with_it(tmp_path: Path) -> None:
    texts = sentences(5, least=28)
    (tmp_path / "a.txt").write_text("\n".join([*(text.replace("birds", "cats") for text in texts), *texts]))
    options: dict[str, Any] = {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.0}
    made = run("out", cleaning=Cleaning(near_duplicates=0.3, filter=is_wanted), **options)
    assert documents("out", made.manifest)[0] == next(text for text in texts if "birds" in text)


def test_held_out_by_content_alone(tmp_path: Path) -> None:
    texts = sentences(200)
    options: dict[str, Any] = {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.25}
    sides = []
    for lines in ([*texts, *texts[:50]], texts[50:][::-1]):
        (tmp_path / "a.txt").write_text("\n".join(lines))
        made = run(f"out{len(sides)}", **options)
        train, held = (documents(f"out{len(sides)}", made.manifest, split) for split in ("train", "validation"))
        assert sorted([*train, *held]) == sorted(lines)
        assert not set(train) & set(held)
        assert 0.15 < len(set(held)) / len(set(lines)) < 0.35
        sides.append(set(held))
    assert sides[1] == sides[0] & set(texts[50:])
    made = run("seeded", seed=1, **options)
    assert set(documents("seeded", made.manifest, "validation")) != sides[1]


def test_a_corpus_behind_a_url(tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    texts = sentences(100)
    store.pipe("/preparing-input/a.txt", "\n".join([*texts, *texts[:30]]).encode())
    options: dict[str, Any] = {
        "tokenizer": CHARACTERS,
        "cleaning": Cleaning(exact_duplicates=True, near_duplicates=0.95),
    }
    made = run("memory://preparing-output", train_files="memory://preparing-input/a.txt", **options)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *texts[:30]]))
    run("out", train_files="a.txt", **options)
    local = content("out")
    names = list(store.find("/preparing-output"))
    assert {name.removeprefix("/preparing-output/") for name in names} == set(local)
    for name in local:
        if not name.endswith("manifest.json"):
            assert store.cat_file(f"/preparing-output/{name}") == local[name]
    assert read_manifest("memory://preparing-output").splits == made.manifest.splits
