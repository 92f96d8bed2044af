from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

from pretune.datamodules.sequence_to_sequence import SequenceToSequenceDataModule
from pretune.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"document": sentence(i, 5 + i % 5), "summary": sentence(i, 2 + i % 3)} for i in range(12)
]


def write(rows: list[dict[str, Any]], path: str = "rows.jsonl") -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


def make(tokenizer_folder: Path, stage: str = "fit", **options: Any) -> SequenceToSequenceDataModule:
    options = {"batch_size": 4, "validation_fraction": 0.0, "group_by_length": False, **options}
    data = SequenceToSequenceDataModule(tokenizer=str(tokenizer_folder), **options)
    data.prepare_data()
    data.setup(stage)
    return data


def test_source_and_target_of_an_encoder_decoder(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write(ROWS), source_prefix="a story ")
    batch = data.datasets["train"][[0, 3, 4]]
    assert batch["example"].tolist() == [0, 3, 4]
    for i, number in enumerate([0, 3, 4]):
        source = data.tokenizer("a story " + ROWS[number]["document"])["input_ids"]
        target = data.tokenizer(ROWS[number]["summary"])["input_ids"]
        assert batch["input_ids"][i, : len(source)].tolist() == source
        assert batch["attention_mask"][i].sum() == len(source)
        assert batch["labels"][i].tolist() == target + [-100] * (batch["labels"].shape[1] - len(target))
    assert data.references("train", [3]) == [ROWS[3]["summary"]]


def test_one_row_for_a_decoder(tokenizer_folder: Path) -> None:
    data = make(
        tokenizer_folder, train_files=write(ROWS), source_prefix="a story ", separator=" ends ", shape="decoder"
    )
    tokenizer = data.tokenizer
    batch = data.datasets["train"][[0, 3]]
    for i, number in enumerate([0, 3]):
        before = [tokenizer.cls_token_id]
        for text in ("a story ", ROWS[number]["document"], " ends "):
            before += tokenizer(text, add_special_tokens=False)["input_ids"]
        target = tokenizer(ROWS[number]["summary"], add_special_tokens=False)["input_ids"] + [tokenizer.sep_token_id]
        length = len(before) + len(target)
        assert batch["input_ids"][i, :length].tolist() == before + target
        assert batch["labels"][i, :length].tolist() == [-100] * len(before) + target
        assert (batch["labels"][i, length:] == -100).all()
        assert batch["attention_mask"][i].sum() == length


def test_prompts_of_a_decoder_are_padded_on_the_left(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, "predict", predict_texts=["a film", "a"], separator=" is ", shape="decoder")
    batch = data.datasets["predict"][[0, 1]]
    assert "labels" not in batch
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert data.tokenizer.decode(batch["input_ids"][1], skip_special_tokens=True) == "a is"
    assert make(tokenizer_folder, "predict", predict_texts="a").datasets["predict"][[0]]["input_ids"].shape == (1, 3)


@pytest.mark.parametrize("shape", ["encoder-decoder", "decoder"])
def test_what_is_too_long_is_counted(shape: Any, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {"max_length": 8, "max_target_length": 4, "separator": " is", "shape": shape}
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write(ROWS), **options)
    batch = data.datasets["train"][list(range(12))]
    tokenizer = data.tokenizer
    sources = [tokenizer(row["document"], add_special_tokens=False)["input_ids"] for row in ROWS]
    targets = [tokenizer(row["summary"], add_special_tokens=False)["input_ids"] for row in ROWS]
    # two special tokens around a source; in one row one before, and the separator behind it
    truncated = sum(len(ids) > 6 for ids in sources)
    cut = sum(len(ids) > (3 if shape == "decoder" else 2) for ids in targets)
    assert 0 < truncated < 12 or shape == "decoder"
    assert f"truncated to 8 tokens: {truncated} of 12" in caplog.text
    assert f"targets truncated to 4 tokens: {cut}" in caplog.text
    assert (batch["labels"] != -100).sum(1).max() == 4
    last = [[i for i in row if i != -100][-1] for row in batch["labels"].tolist()]
    assert set(last) == {tokenizer.sep_token_id}  # also what was cut ends
    if shape == "decoder":
        (between,) = tokenizer(" is", add_special_tokens=False)["input_ids"]
        first = (batch["labels"] != -100).int().argmax(1)
        assert (batch["input_ids"].gather(1, first[:, None] - 1) == between).all()


@pytest.mark.parametrize(
    ("row", "options", "source", "target"),
    [
        ({"id": "1", "article": "a", "highlights": "b"}, {}, "a", "b"),
        ({"dialogue": "a", "summary": "b"}, {}, "a", "b"),
        ({"source": "a", "target": "b"}, {}, "a", "b"),
        ({"text": "a", "summary": "b"}, {}, "a", "b"),
        ({"text": "a", "title": "b"}, {"target_column": "title"}, "a", "b"),
        ({"body": "a", "summary": "b"}, {"source_column": "body"}, "a", "b"),
        ({"translation": {"en": "a", "de": "b"}}, {"source_lang": "en", "target_lang": "de"}, "a", "b"),
        ({"translation": {"en": "a", "de": "b"}}, {"source_lang": "de_DE", "target_lang": "en_XX"}, "b", "a"),
        ({"pair": {"en": "a"}, "x": "b"}, {"source_column": "pair.en", "target_column": "x"}, "a", "b"),
    ],
)
def test_columns(
    row: dict[str, Any],
    options: dict[str, Any],
    source: str,
    target: str,
    tokenizer_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write([row] * 4), **options)
    assert data.examples("train")[0]["source"] == source
    assert data.examples("train")[0]["target"] == target
    assert ("Columns: source" in caplog.text) == (len([o for o in options if "column" in o]) < 2)
    inline = make(tokenizer_folder, "predict", predict_texts=["a film"], **options)
    assert inline.examples("predict")[0]["source"] == "a film"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"document": ""}, r"rows.jsonl:3: the source in column 'document' is empty\."),
        ({"summary": "  "}, r"rows.jsonl:3: the target in column 'summary' is empty\."),
        ({"summary": 3}, r"rows.jsonl:3: the target in column 'summary' is no text: 3\."),
        ({"document": None}, r"rows.jsonl:3: the source in column 'document' is empty\."),
    ],
)
def test_bad_rows(
    change: dict[str, Any], message: str, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row} for row in ROWS]
    rows[2] |= change
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files=write(rows))
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="rows.jsonl", on_bad_rows="skip")
    assert len(data.datasets["train"]) == 11
    assert "skipped: 1 that cannot be used, the first: rows.jsonl:3" in caplog.text


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"a": "b"}, {}, r"rows.jsonl:1: which column is it\? Set data.source_column to one of: a\."),
        ({"document": "a", "b": "c"}, {}, r"Set data.target_column to one of: document, b\."),
        ({"a": "b"}, {"source_column": "c"}, r"rows.jsonl:1: there is no column 'c'; there are: a\."),
        ({"translation": {"en": "a", "de": "b"}}, {}, r"Set data.source_lang and data.target_lang to two of: en, de\."),
        (
            {"translation": {"en": "a", "de": "b"}},
            {"source_lang": "en", "target_lang": "fr"},
            r"there is no column 'translation.fr'; there are: en, de\.",
        ),
        ({"a": "b"}, {"source_lang": "en"}, "belong together"),
        ({"a": "b"}, {"max_target_length": 1}, "max_target_length is 1"),
    ],
)
def test_dead_ends(row: dict[str, Any], options: dict[str, Any], message: str, tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files=write([row] * 4), **options)


def test_languages_are_told_to_a_tokenizer_that_knows_them(tmp_path: Path, fails: Callable[..., str]) -> None:
    from transformers import MBart50Tokenizer

    words = ["▁", "▁film", "▁Film", "▁the", "▁der", "."]
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((word, -2.0) for word in words)]
    MBart50Tokenizer(vocab=vocab, src_lang="en_XX", tgt_lang="en_XX").save_pretrained("mbart")
    row = {"translation": {"en": "the film.", "de": "der Film."}}
    data = make(Path("mbart"), train_files=write([row] * 4), source_lang="en_XX", target_lang="de_DE")
    batch = data.datasets["train"][[0]]
    assert data.tokenizer.convert_ids_to_tokens(batch["input_ids"][0]) == ["en_XX", "▁the", "▁film", ".", "</s>"]
    assert data.tokenizer.convert_ids_to_tokens(batch["labels"][0]) == ["de_DE", "▁der", "▁Film", ".", "</s>"]
    with pytest.raises(InputError, match=r"data.target_lang is 'xx_YY', which the tokenizer does not know; it has: "):
        make(Path("mbart"), train_files="rows.jsonl", source_lang="en_XX", target_lang="xx_YY")
