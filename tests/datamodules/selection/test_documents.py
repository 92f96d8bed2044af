"""Selecting documents of a corpus, through its datamodule."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretune.datamodules import Cleaning, CorpusDataModule, CorpusSource, Selection
from pretune.errors import InputError

ENGLISH = [f"word{i}" for i in range(300)]
OTHER = [f"other{i}" for i in range(300)]
CHINESE = [chr(0x4E00 + i) for i in range(300)]


def texts(units: list[str], count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [("" if units is CHINESE else " ").join(rng.choices(units, k=25)) for _ in range(count)]


def make(tokenizer_folder: Path, **options: Any) -> CorpusDataModule:
    data = CorpusDataModule(tokenizer=str(tokenizer_folder), block_size=32, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def written(lines: list[str], name: str = "c.txt") -> str:
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def kept(data: CorpusDataModule, lines: list[str]) -> np.ndarray:
    """Which lines are in training, by the newest selection in the cache."""
    folder = max(Path(data.cache_dir, "selections").glob("*"), key=lambda path: path.stat().st_mtime_ns)
    found: np.ndarray = np.load(folder / "stays.npy")
    return np.pad(found, (0, len(lines) - len(found)))


def ids(data: CorpusDataModule, part: str = "train") -> list[list[int]]:
    """The documents of a part, sorted."""
    store = data.datasets[part].store
    return sorted(store[i].tolist() for i in range(len(store)))


@pytest.mark.parametrize(("wanted", "rest"), [(ENGLISH, OTHER), (CHINESE, ENGLISH), (CHINESE, CHINESE[150:])])
def test_what_is_like_the_target_is_kept(wanted: list[str], rest: list[str], tokenizer_folder: Path) -> None:
    half = wanted is CHINESE and rest is not ENGLISH  # of the same script
    target = CHINESE[:150] if half else wanted
    make_texts = (lambda units, n, seed: ["".join(t.split()) for t in texts(units, n, seed)]) if half else texts
    lines = make_texts(target, 50, 1) + make_texts(rest, 450, 2)
    random.Random(3).shuffle(lines)
    chosen = Selection("importance", 0.1, target=written(make_texts(target, 20, 4), "target.txt"))
    data = make(tokenizer_folder, train_files=written(lines), selection=chosen, validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 50
    stays = kept(data, lines)
    like = np.array([line[0] in set(target) or line.split()[0] in target for line in lines])
    assert like.sum() == 50
    assert (stays & like).sum() >= 48


def test_a_random_share_and_a_number(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = texts(ENGLISH, 200)
    path = written(lines)
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=path, selection=Selection("random", 0.25), validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 50
    assert "skipped: 150 not selected" in caplog.text
    assert "selection from c.txt: 50 of 200 documents kept at random." in caplog.text
    assert data.notes["train"] == ["selection from c.txt: 50 of 200 documents kept at random"]
    survey = data.survey("train")
    assert survey is not None
    assert "selection from c.txt: 50 of 200 documents kept at random" in survey.notes
    data = make(tokenizer_folder, train_files=path, selection=Selection("random", 7), validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 7


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "selection",
    [
        Selection("random", 0.3),
        Selection("importance", 0.3, target="target.txt"),
        Selection("diversity", 0.3, clusters=4),
        Selection("diversity", 0.3, clusters=4, centers="k_center"),
    ],
    ids=["random", "importance", "kmeans", "k_center"],
)
def test_order_and_processes_change_nothing(
    selection: Selection, processes: str, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(texts(OTHER, 10), "target.txt")
    lines = texts(ENGLISH, 60) + texts(OTHER, 60, 1) + texts(CHINESE, 20)
    path = written(lines)
    first = make(tokenizer_folder, train_files=path, selection=selection, cache_dir="first")
    written(random.Random(1).sample(lines, len(lines)))
    monkeypatch.setattr("pretune.text.encoding.BATCH_CHARACTERS", 500)  # many batches, which helpers take over
    monkeypatch.setenv("PRETUNE_PROCESSES", processes)
    second = make(tokenizer_folder, train_files=path, selection=selection, cache_dir="second")
    assert ids(first) == ids(second)
    assert ids(first, "validation") == ids(second, "validation")
    assert first.counts == second.counts


def test_what_is_held_out_is_the_same_whatever_is_selected(tokenizer_folder: Path) -> None:
    path = written(texts(ENGLISH, 100) + texts(OTHER, 100))
    target = written(texts(OTHER, 10), "target.txt")
    whole = make(tokenizer_folder, train_files=path, validation_fraction=0.2)
    for selection in (
        Selection("random", 0.1),
        Selection("random", 0.1, seed=1),
        Selection("importance", 0.2, target=target),
        Selection("diversity", 30),
        Selection(against=target),
    ):
        data = make(tokenizer_folder, train_files=path, validation_fraction=0.2, selection=selection)
        assert ids(data, "validation") == ids(whole, "validation")
        training = ids(data)
        assert all(document in ids(whole) for document in training)
        assert len(training) == selection.count(160, "") if selection.keep else 160


def test_other_splits_stay_whole(tokenizer_folder: Path) -> None:
    files = {"train_files": written(texts(ENGLISH, 50)), "validation_files": written(texts(ENGLISH, 20, 1), "v.txt")}
    data = make(tokenizer_folder, **files, selection=Selection("random", 0.5))
    assert data.counts["validation"]["documents"] == 20
    assert data.counts["train"]["documents"] == 25
    assert data.notes["validation"] == []


@pytest.mark.parametrize("centers", ["kmeans", "k_center"])
def test_each_kind_gives_as_much(centers: Any, tokenizer_folder: Path) -> None:
    lines = texts(ENGLISH, 300) + texts(OTHER, 30, 1) + texts(CHINESE, 30, 2)
    chosen = Selection("diversity", 60, clusters=3, centers=centers)
    data = make(tokenizer_folder, train_files=written(lines), selection=chosen, validation_fraction=0.0)
    taken = [int(part.sum()) for part in np.split(kept(data, lines), [300, 330])]
    assert sum(taken) == 60
    if centers == "kmeans":
        assert taken == [20, 20, 20]
        assert data.notes["train"][0].endswith("by diversity, up to 20 of each of 3 clusters (30 to 300)")
    assert min(taken) >= 9  # at random it were 5


def test_a_backbone_says_what_documents_are_about(encoder: Path, tokenizer_folder: Path) -> None:
    from transformers import AutoModel

    from pretune.datamodules.selection.backbone import BackboneEmbedding

    embed = BackboneEmbedding(str(encoder))
    lines = [*texts(ENGLISH, 40), "a good film"]
    model, tokenizer = AutoModel.from_pretrained(encoder).eval(), embed.tokenizer
    states = model(**tokenizer("a good film", return_tensors="pt")).last_hidden_state[0].mean(0).detach().numpy()
    assert np.allclose(embed(lines)[-1], states / np.linalg.norm(states), atol=1e-5)
    chosen = Selection("diversity", 10, clusters=4, backbone=str(encoder))
    data = make(tokenizer_folder, train_files=written(lines), selection=chosen, validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 10


def test_test_sets_are_kept_out(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = texts(ENGLISH, 40)
    lines[3] = f"before it {' '.join(ENGLISH[:13])} and after"
    lines[7] = f"before it {' '.join(ENGLISH[:12])} and after"
    lines[9] = "".join(CHINESE[5:40])
    rows = [{"question": " ".join(ENGLISH[:14]), "n": 1}, {"question": "short"}]
    Path("test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    written(["".join(CHINESE[:20])], "中文.txt")
    chosen = Selection(against=["test.jsonl", "中文.txt"])
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=written(lines), selection=chosen, validation_fraction=0.0)
    assert np.flatnonzero(~kept(data, lines)).tolist() == [3, 9]
    assert data.counts["train"]["documents"] == 38
    assert "skipped: 2 contaminated" in caplog.text
    note = data.notes["train"][0]
    assert note.startswith("test sets in c.txt: 2 documents, which share 13 words with test.jsonl (1), 中文.txt (1), d")
    assert "'word0 word1 word2 " in note
    assert note.endswith("(1 texts with fewer than 13 words were not looked for)")
    both = Selection("random", 0.5, against="test.jsonl")
    data = make(tokenizer_folder, train_files="c.txt", selection=both, validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 20  # half of 39
    assert len(data.notes["train"]) == 2


def test_nothing_is_shared(tokenizer_folder: Path) -> None:
    chosen = Selection(against=written([" ".join(OTHER)], "test.txt"))
    data = make(tokenizer_folder, train_files=written(texts(ENGLISH, 9)), selection=chosen, validation_fraction=0.0)
    assert data.notes["train"] == ["test sets in c.txt: no document shares 13 words with test.txt"]


def test_after_cleaning(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [text for line in texts(ENGLISH, 50) for text in ("short", line, line, f"{line} was")]
    cleaning = Cleaning(min_characters=10, exact_duplicates=True, near_duplicates=0.8)
    options = {"train_files": written(lines), "cleaning": cleaning, "validation_fraction": 0.0}
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, selection=Selection("random", 0.2), **options)
    assert data.counts["train"]["documents"] == 10
    for count in ("50 too short", "50 exact duplicates", "50 near duplicates", "40 not selected"):
        assert count in caplog.text
    assert np.flatnonzero(kept(data, lines)).tolist() == [4 * (n // 4) + 1 for n in np.flatnonzero(kept(data, lines))]
    all_of_them = make(tokenizer_folder, selection=Selection("random", 1), **options)
    assert ids(all_of_them) == ids(make(tokenizer_folder, **options))


def test_each_corpus_of_a_mixture(tokenizer_folder: Path) -> None:
    sources = [CorpusSource(files=written(texts(ENGLISH, 50))), CorpusSource(files=written(texts(OTHER, 30), "d.txt"))]
    data = make(tokenizer_folder, sources=sources, selection=Selection("random", 0.1), validation_fraction=0.0)
    assert data.counts["train"]["documents"] == 8
    assert [note.partition(":")[0] for note in data.notes["train"]] == ["selection from c.txt", "selection from d.txt"]
    with pytest.raises(InputError, match=r"keep is 40, but d\.txt has only 30 training documents"):
        make(tokenizer_folder, sources=sources, selection=Selection("random", 40), validation_fraction=0.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [("...\n", None), ("", "target.txt is empty")],
)
def test_an_empty_target(content: str, message: str | None, tokenizer_folder: Path) -> None:
    Path("target.txt").write_text(content)
    path = written(texts(ENGLISH, 9))
    chosen = Selection("importance", 0.5, target="target.txt")
    if message is None:  # a sign is a word of the target
        assert make(tokenizer_folder, train_files=path, selection=chosen).counts["train"]["documents"] > 0
        return
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files=path, selection=chosen)


def test_a_target_without_text(tokenizer_folder: Path) -> None:
    Path("target.jsonl").write_text('{"text": null, "n": 1}\n')
    chosen = Selection("importance", 0.5, target="target.jsonl", target_columns=["text"])
    with pytest.raises(InputError, match=r"data\.selection\.target .target\.jsonl. holds no text to be like"):
        make(tokenizer_folder, train_files=written(texts(ENGLISH, 9)), selection=chosen)


def test_a_corpus_that_is_the_test_set(tokenizer_folder: Path) -> None:
    path = written(texts(ENGLISH, 9))
    with pytest.raises(InputError, match=r"Every training document of c\.txt shares 13 words"):
        make(tokenizer_folder, train_files=path, selection=Selection(against=path))


def test_files_are_looked_for_before_anything_is_read(tokenizer_folder: Path) -> None:
    data = CorpusDataModule("c.txt", tokenizer="no such tokenizer", selection=Selection(against="none.txt"))
    written(texts(ENGLISH, 9))
    with pytest.raises(InputError, match=r"There is no file none\.txt"):
        data.prepare_data()
