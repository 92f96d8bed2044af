from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import WORDS, sentence  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning, CorpusDataModule
from pretune.errors import InputError
from pretune.text.encoding import encode
from pretune.text.tokenizing import Tokenizing


def make(tokenizer_folder: Path, **options: Any) -> CorpusDataModule:
    data = CorpusDataModule(tokenizer=str(tokenizer_folder), **{"block_size": 16, "batch_size": 4, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def content(data: CorpusDataModule, split: str) -> list[int]:
    """All tokens of a split's blocks, without special frame and padding."""
    out: list[int] = []
    blocks = data.datasets[split]
    for i in range(len(blocks)):
        batch = blocks[[i]]
        row = batch["input_ids"][0][batch["attention_mask"][0].bool()].tolist()
        assert row[0] == data.tokenizer.cls_token_id
        assert row[-1] == data.tokenizer.sep_token_id
        out += row[1:-1]
    return out


def test_no_token_is_lost(corpus: Path, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=str(corpus), validation_fraction=0.0)
    expected: list[int] = []
    for ids in encode(data.tokenizer, corpus.read_text().splitlines()):
        expected += [*ids, data.tokenizer.sep_token_id]
    assert content(data, "train") == expected
    assert data.val_dataloader() == []


def test_batches_are_as_documented(corpus: Path, tokenizer_folder: Path) -> None:
    batch = next(iter(make(tokenizer_folder, train_files=str(corpus)).train_dataloader()))
    assert set(batch) == {"input_ids", "attention_mask", "token_type_ids"}
    for value in batch.values():
        assert value.shape == (4, 16)
        assert value.dtype == torch.int64


def test_held_out_documents_are_whole_and_copies_stay_together(tmp_path: Path, tokenizer_folder: Path) -> None:
    lines = [sentence(i, 9) + " " + WORDS[i // 23] for i in range(60)]
    (tmp_path / "c.txt").write_text("\n".join(lines * 3))
    data = make(tokenizer_folder, train_files="c.txt", validation_fraction=0.2)
    sep = data.tokenizer.sep_token_id

    def documents(split: str) -> set[tuple[int, ...]]:
        found, current = set(), []
        for token in content(data, split):
            if token == sep:
                found.add(tuple(current))
                current = []
            else:
                current.append(token)
        assert not current
        return found

    train, validation = documents("train"), documents("validation")
    assert train
    assert validation
    assert not train & validation
    assert train | validation == {tuple(ids) for ids in encode(data.tokenizer, lines)}
    assert 0.1 < len(validation) / len(train | validation) < 0.35
    again = make(tokenizer_folder, train_files="c.txt", validation_fraction=0.2, cache_dir=str(tmp_path / "other"))
    assert content(again, "validation") == content(data, "validation")
    other_seed = make(tokenizer_folder, train_files="c.txt", validation_fraction=0.2, seed=1)
    assert content(other_seed, "validation") != content(data, "validation")


def test_formats_and_several_files(corpus: Path, tmp_path: Path, tokenizer_folder: Path) -> None:
    lines = corpus.read_text().splitlines()
    (tmp_path / "p1.txt.gz").write_bytes(gzip.compress("\n".join(lines[:100]).encode()))
    (tmp_path / "p2.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines[100:]))
    data = make(tokenizer_folder, train_files=["p1.*", "p2.*"], validation_fraction=0.0)
    whole = make(tokenizer_folder, train_files=str(corpus), validation_fraction=0.0)
    assert content(data, "train") == content(whole, "train")


def test_second_start_does_no_work(corpus: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tokenizer_folder, train_files=str(corpus))
    monkeypatch.setattr(Tokenizing, "__call__", lambda *a: pytest.fail("tokenized again"))
    monkeypatch.setattr("pretune.text.readers.read_documents", lambda *a, **k: pytest.fail("read again"))
    make(tokenizer_folder, train_files=str(corpus), block_size=32)
    corpus.write_text(corpus.read_text() + "one more line\n")
    with pytest.raises(pytest.fail.Exception):
        make(tokenizer_folder, train_files=str(corpus))


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "bytelevel", "unigram", "character"])
def test_tokenizers_are_trained(kind: str, corpus: Path) -> None:
    data = CorpusDataModule(str(corpus), tokenizer={"train": kind, "vocab_size": 300}, block_size=32)  # type: ignore[arg-type]
    data.prepare_data()
    data.setup("fit")
    tokenizer = data.tokenizer
    assert tokenizer.mask_token_id is not None
    assert len(tokenizer) <= 300
    text = sentence(3)
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.cls_token_id
    assert tokenizer.unk_token_id not in ids
    plain = tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "")
    assert plain == text.replace(" ", "")
    if kind == "character":
        assert len(ids) == len(text) + 2


def test_an_empty_validation_set_and_other_dead_ends(tmp_path: Path, tokenizer_folder: Path) -> None:
    (tmp_path / "one.txt").write_text("only one document")
    with pytest.raises(InputError, match="one document only"):
        make(tokenizer_folder, train_files="one.txt")
    with pytest.raises(InputError, match="block_size is 2"):
        make(tokenizer_folder, train_files="one.txt", validation_fraction=0.0, block_size=2)
    with pytest.raises(InputError, match="nothing to train on"):
        make(tokenizer_folder)
    with pytest.raises(InputError, match="needs a tokenizer"):
        CorpusDataModule("one.txt").prepare_data()
    with pytest.raises(InputError, match="exclude each other"):
        CorpusDataModule("one.txt", dataset="x")


def is_english(text: str) -> bool:
    """A filter of a user's own."""
    return text.isascii()


def test_cleaning_is_counted_and_said(tmp_path: Path, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [" ".join(random.Random(i).choices(WORDS, k=30)) for i in range(20)]
    lines += [lines[3], lines[4], "short", "réservé à la langue française, et pas à une autre", lines[5] + " was"]
    (tmp_path / "c.txt").write_text("\n".join(lines))
    cleaning = Cleaning(min_characters=10, exact_duplicates=True, near_duplicates=0.8, filter=is_english)
    options = {"train_files": "c.txt", "cleaning": cleaning, "validation_fraction": 0.0}
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, **options)
    assert data.counts["train"]["documents"] == 20
    for count in ("2 exact duplicates", "1 too short", "1 filtered", "1 near duplicates"):
        assert count in caplog.text
    assert "None" not in caplog.text
    plain = make(tokenizer_folder, train_files="c.txt", validation_fraction=0.0)  # another cache entry
    assert plain.counts["train"]["documents"] == 25


def test_tokens_per_word_and_unknown_tokens_are_reported(
    tmp_path: Path, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "c.txt").write_text("a good film\nthe 東 book\n")
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="c.txt", validation_fraction=0.0)
    assert data.counts["train"] == {
        "documents": 2, "tokens": 8, "words": 6, "bytes": len("a good filmthe 東 book".encode()), "unknown": 1
    }  # fmt: skip
    assert "8 tokens (1.33 a word, 12.50% unknown)" in caplog.text


def test_counts_of_what_is_held_out(corpus: Path, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=str(corpus), validation_fraction=0.25)
    whole = make(tokenizer_folder, train_files=str(corpus), validation_fraction=0.0)
    for key, value in whole.counts["train"].items():
        assert data.counts["train"].get(key, 0) + data.counts["validation"].get(key, 0) == value
    assert data.counts["validation"]["tokens"] == len(data.datasets["validation"].store.ids)


def test_overlapping_blocks(corpus: Path, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=str(corpus), validation_fraction=0.1, eval_stride=5)
    blocks = data.datasets["validation"]
    ids = blocks.store.ids[:].tolist()
    fresh: list[int] = []
    for i in range(len(blocks)):
        batch = blocks[[i]]
        row, overlap = batch["input_ids"][0], int(batch["overlap"][0])
        last = int(batch["attention_mask"][0].sum()) - 1
        fresh += row[max(1, overlap) : last].tolist()
        assert overlap == (1 + 14 - 5 if i else 0)
    assert fresh == ids
    assert "overlap" not in data.datasets["train"][[0]]
    with pytest.raises(InputError, match="eval_stride is 15; it must be at least 1 and at most 14"):
        make(tokenizer_folder, train_files=str(corpus), eval_stride=15)


def test_special_tokens_around_blocks_can_be_left_out(corpus: Path, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=str(corpus), special_tokens=False, validation_fraction=0.0)
    rows = [data.datasets["train"][[i]] for i in range(len(data.datasets["train"]))]
    found = [t for row in rows for t in row["input_ids"][0][row["attention_mask"][0].bool()].tolist()]
    assert found == data.datasets["train"].store.ids[:].tolist()


def test_word_lists_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"data\.words: gone\.txt is neither a word list"):
        CorpusDataModule("c.txt", words="gone.txt")


def test_prompts(tokenizer_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a good film\nthe book\n")
    data = CorpusDataModule(tokenizer=str(tokenizer_folder), predict_files="prompts.txt", batch_size=2)
    data.setup("predict")
    (batch,) = list(data.predict_dataloader())
    assert batch["input_ids"].shape == (2, 3)
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["index"].tolist() == [0, 1]
    assert data.predict_rows == [{"text": "a good film"}, {"text": "the book"}]
    with pytest.raises(InputError, match="nothing to predict"):
        CorpusDataModule(tokenizer=str(tokenizer_folder)).setup("predict")


def test_each_row_of_a_table_is_a_prompt_with_all_its_columns(
    tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one without a word: a row goes in, a row comes out."""
    Path("rows.csv").write_text("text,n\n,1\nthe book,2\n  ,3\n")
    Path("more.txt").write_text("a good film\n\n\nthe book\n")
    files: Any = ["rows.csv", "more.txt"]
    data = CorpusDataModule(tokenizer=str(tokenizer_folder), predict_files=files, batch_size=5)
    with caplog.at_level("INFO"):
        data.setup("predict")
    (batch,) = list(data.predict_dataloader())
    assert batch["attention_mask"].sum(1).tolist() == [0, 2, 0, 3, 2]
    table = [{"text": "", "n": "1"}, {"text": "the book", "n": "2"}, {"text": "  ", "n": "3"}]
    assert list(data.predict_rows) == [*table, {"text": "a good film"}, {"text": "the book"}]
    assert "predict: 5 rows; blank lines, which are no rows: 2." in caplog.text


def test_prompts_in_memory(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = CorpusDataModule(tokenizer=str(tokenizer_folder), predict_texts=["", "the book"], batch_size=2)
    with caplog.at_level("INFO"):
        data.setup("predict")
    assert data.predict_rows == [{"text": ""}, {"text": "the book"}]
    assert "predict: 2 rows." in caplog.text
    caplog.clear()
    data.take_rows([{"text": "a film", "n": 3}])
    assert data.predict_rows == [{"text": "a film", "n": 3}]
    assert not caplog.text
    with pytest.raises(InputError, match=r"data\.predict_texts is empty"):
        CorpusDataModule(tokenizer=str(tokenizer_folder), predict_texts=[]).setup("predict")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", "review\nthe book\n", r"rows\.csv:2: there is no column 'text'; there are: review"),
        ("rows.jsonl", '{"text": "a"}\n{"text": null}\n', r"rows\.jsonl:2: column 'text' holds None, not a text"),
        ("rows.txt", "\n\n", r"rows\.txt is empty"),
    ],
)
def test_what_is_no_prompt(name: str, content: str, message: str, tokenizer_folder: Path) -> None:
    Path(name).write_text(content)
    with pytest.raises(InputError, match=message):
        CorpusDataModule(tokenizer=str(tokenizer_folder), predict_files=name).setup("predict")


def test_texts_that_a_tokenizer_does_not_know(tokenizer_folder: Path) -> None:
    Path("zh.txt").write_text("\n".join(f"这部电影很好看{i}" for i in range(40)))
    data = CorpusDataModule(train_files="zh.txt", tokenizer=str(tokenizer_folder), block_size=16)
    data.prepare_data()
    with pytest.warns(UserWarning, match=r"\d\d% of the tokens of train are unknown \(\[UNK\]\)"):
        data.setup("fit")
