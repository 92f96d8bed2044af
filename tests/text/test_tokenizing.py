"""The cache holds the same bytes, however many processes fill it and whether words are looked up or not."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule, SentencePairDataModule, token_stream
from pretune.datamodules import corpus as corpora
from pretune.errors import InputError
from pretune.text import encoding, processes
from pretune.text.encoding import count_words, encode
from pretune.text.splitting import document_hash
from pretune.text.tokenizing import SentenceTokenizing, Tokenizing

LINES = [f"{sentence(i, 5 + i % 9)} {'naïve 東京 ' * (i % 3 == 0)}\xa0x{i}" for i in range(400)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Batches of a few documents, and helpers after the first; those that were started."""
    monkeypatch.setattr(encoding, "BATCH_CHARACTERS", 2000)
    monkeypatch.setattr(token_stream, "TOKENS_AT_ONCE", 900)
    monkeypatch.setattr(processes, "ALONE", 1)
    started: list[subprocess.Popen[bytes]] = []
    start = processes._start
    monkeypatch.setattr(processes, "_start", lambda message: started.append(start(message)) or started[-1])
    return started


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["lines", "words", "segmented", "sentences", "clean"])
def test_the_same_bytes(
    kind: str, small: list[Any], tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.txt").write_text("\n".join(LINES), encoding="utf-8")
    (tmp_path / "words.txt").write_text("東京\n", encoding="utf-8")
    options: dict[str, Any] = {"words": {"word_ids": True}, "segmented": {"word_ids": True, "words": "words.txt"}}
    options["sentences"] = {"documents": "line"}
    options["clean"] = {"cleaning": {"max_characters": 60}, "validation_fraction": 0.3}
    found = {}
    for count, cache in itertools.product("12", "01"):
        monkeypatch.setenv("PRETUNE_PROCESSES", count)
        monkeypatch.setenv("PRETUNE_WORD_CACHE", cache)
        before, place = len(small), tmp_path / f"{count}{cache}"
        given: dict[str, Any] = {"tokenizer": str(tokenizer_folder), "cache_dir": str(place), **options.get(kind, {})}
        if kind == "clean":
            given["cleaning"] = corpora.Cleaning(**given["cleaning"])
        made = (SentencePairDataModule if kind == "sentences" else CorpusDataModule)("c.txt", **given)
        made.prepare_data()
        found[count, cache] = files(place)
        assert len(small) - before == (2 if count == "2" else 0)
    assert len(found["1", "0"]) >= 5
    for other in found.values():
        assert other == found["1", "0"]


@pytest.mark.parametrize("cache", ["0", "1"])
def test_what_is_told_of_documents(cache: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRETUNE_WORD_CACHE", cache)
    texts = [*LINES[:50], "a\x0bb c", "", " ", "?? \u2620 x", "東 京"]
    found = Tokenizing(tokenizer, [3], tokenizer.unk_token_id, False, None, seed=5)(texts)
    ids = [[*row, 3] for row in encode(tokenizer, texts)]
    assert found.ids.tolist() == list(itertools.chain(*ids))
    assert found.facts["tokens"].tolist() == [len(row) for row in ids]
    assert found.facts["unknown"].tolist() == [row.count(tokenizer.unk_token_id) for row in ids]
    assert found.facts["unknown"].any()
    assert found.facts["words"].tolist() == [count_words(text) for text in texts]
    assert found.facts["bytes"].tolist() == [len(text.encode()) for text in texts]
    assert found.facts["hash"].tolist() == [document_hash(text, 5) for text in texts]


@pytest.mark.parametrize("split", [False, True])
def test_another_process_knows_how_special_tokens_are_read(split: bool, tokenizer: Any) -> None:
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.encode_special_tokens = split
    made = Tokenizing(backend, [], None, False, None, 0)
    texts = ["a film [SEP] one"]
    sent = pickle.loads(pickle.dumps(made))
    assert sent(texts).ids.tolist() == made(texts).ids.tolist() == encode(backend, texts)[0]
    assert (tokenizer.sep_token_id in sent(texts).ids) == (not split)


def test_sentences_without_a_token(tokenizer: Any) -> None:
    tokenizing = Tokenizing(tokenizer, [], None, False, None, 0)
    texts = ["a film|\x01|the book", "\x01", "one"]
    found = SentenceTokenizing(tokenizing, lambda text: text.split("|"))(texts)
    a, b, c = encode(tokenizer, ["a film", "the book", "one"])
    assert found.ids.tolist() == [*a, *b, *c]
    assert found.lengths.tolist() == [len(a), len(b), len(c)]
    assert found.sizes.tolist() == [2, 1]
    assert found.hashes.tolist() == [document_hash(texts[0], 0), document_hash(texts[2], 0)]
    assert found.empty == 1
    nothing = SentenceTokenizing(tokenizing, lambda text: [])(["a", "b"])
    assert (len(nothing.ids), len(nothing.sizes), nothing.empty) == (0, 0, 2)


def test_errors_while_reading_leave_nothing(
    small: list[Any], tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [json.dumps({"text": line}) for line in LINES]
    (tmp_path / "c.jsonl").write_text("\n".join([*rows, "{}"]))
    monkeypatch.setenv("PRETUNE_PROCESSES", "2")
    data = CorpusDataModule("c.jsonl", tokenizer=str(tokenizer_folder))
    with pytest.raises(InputError, match=r"c\.jsonl:401.*'text'"):
        data.prepare_data()
    assert [helper.returncode is not None for helper in small] == [True, True]
    assert not list(Path("cache").rglob("*.bin"))


def test_errors_of_a_segmenter_are_told(
    small: list[Any], tokenizer_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which runs in a helper, where it must be importable: this one, of the standard library, drops commas."""
    (tmp_path / "c.txt").write_text("\n".join([*["a film"] * 400, "one, two", "b film"]))
    monkeypatch.setenv("PRETUNE_PROCESSES", "2")
    data = CorpusDataModule("c.txt", tokenizer=str(tokenizer_folder), word_ids=True, words=re.compile("[^, ]+").findall)
    with pytest.raises(InputError, match="do not give the text back"):
        data.prepare_data()
    assert [helper.returncode is not None for helper in small] == [True, True]
