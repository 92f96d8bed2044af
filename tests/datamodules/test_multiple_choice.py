from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import sentence

from pretune.datamodules import MultipleChoiceDataModule
from pretune.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"ctx": sentence(i), "endings": [sentence(i + j, 3 + j) for j in range(2 + i % 3)], "label": i % 2}
    for i in range(12)
]


def make(tokenizer_folder: Path, stage: str = "fit", **options: Any) -> MultipleChoiceDataModule:
    options = {"batch_size": 4, "validation_fraction": 0.0, "group_by_length": False, **options}
    data = MultipleChoiceDataModule(tokenizer=str(tokenizer_folder), **options)
    data.prepare_data()
    data.setup(stage)
    return data


def write(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_endings_are_side_by_side_with_their_context(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("rows.jsonl", ROWS))
    batch = data.datasets["train"][[0, 1, 2, 4]]
    assert batch["labels"].tolist() == [0, 1, 0, 0]
    assert batch["choice_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == batch["token_type_ids"].shape
    for row, number in enumerate([0, 1, 2, 4]):
        for choice, ending in enumerate(ROWS[number]["endings"]):
            plain = data.tokenizer(ROWS[number]["ctx"], ending)
            length = len(plain["input_ids"])
            assert batch["input_ids"][row, choice, :length].tolist() == plain["input_ids"]
            assert batch["token_type_ids"][row, choice, :length].tolist() == plain["token_type_ids"]
            assert batch["attention_mask"][row, choice].sum() == length
    assert "choice_mask" not in data.datasets["train"][[1, 4]]  # as many endings each
    assert (batch["attention_mask"].sum(-1) > 0).all()


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({"sent1": "a film", "sent2": "it", "ending0": "ends", "ending1": "begins", "ending2": None, "label": 1}, 1),
        ({"premise": "a film", "choice1": "ends", "choice2": "begins", "label": "0"}, 0),
        ({"question": "a film", "options": ["ends", "begins"], "answer": "B"}, 1),
        ({"question": "a film", "choices": {"text": ["ends", "begins"], "label": ["A", "B"]}, "answer": "begins"}, 1),
    ],
)
def test_usual_shapes(row: dict[str, Any], label: int, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("rows.jsonl", [row] * 4))
    batch = data.datasets["train"][[0]]
    assert batch["labels"].tolist() == [label]
    assert batch["input_ids"].shape[1] == 2
    text = data.tokenizer.decode(batch["input_ids"][0, 1], skip_special_tokens=True)
    assert text == ("a film it begins" if "sent2" in row else "a film begins")


def test_counting_from_one(tokenizer_folder: Path) -> None:
    rows = [{**row, "label": row["label"] + 1} for row in ROWS]
    data = make(tokenizer_folder, train_files=write("rows.jsonl", rows), first_label=1)
    assert torch.from_numpy(data.datasets["train"].columns["labels"]).tolist() == [row["label"] for row in ROWS]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"endings": []}, "rows.jsonl:3: 0 endings in column 'endings'; there must be at least two"),
        ({"endings": None}, "rows.jsonl:3: 0 endings"),
        ({"endings": ["a", ""]}, "rows.jsonl:3: ending 1 in column 'endings' is ''"),
        ({"label": 4}, r"rows.jsonl:3: the label '4' in column 'label' is none of the 4 endings \(numbers 0 to 3"),
        ({"label": -1}, "rows.jsonl:3: the label '-1'"),
        ({"label": None}, "rows.jsonl:3: there is no label"),
        ({"ctx": ""}, "rows.jsonl:3: the text in column 'ctx' is empty"),
    ],
)
def test_bad_rows(
    change: dict[str, Any], message: str, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row} for row in ROWS]
    rows[2] |= change
    write("rows.jsonl", rows)
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files="rows.jsonl")
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="rows.jsonl", on_bad_rows="skip")
    assert len(data.datasets["train"]) == 11
    assert "skipped: 1 that cannot be used, the first: rows.jsonl:3" in caplog.text


def test_truncated_examples_are_counted_once(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        make(tokenizer_folder, train_files=write("rows.jsonl", ROWS), max_length=8)
    assert f"truncated to 8 tokens: {len(ROWS)} of {len(ROWS)}" in caplog.text


def test_endings_as_a_table_holds_them(tokenizer_folder: Path) -> None:
    lines = [f"""a film,"['it ends', 'it begins']",{i % 2}""" for i in range(6)]
    Path("t.csv").write_text("\n".join(["ctx,endings,label", *lines]))
    data = make(tokenizer_folder, train_files="t.csv")
    assert data.examples("train")[0]["endings"] == ["it ends", "it begins"]


C3: list[dict[str, Any]] = [
    {"question": "what ends", "choice": ["the film", "the book", "the town"], "answer": "the book"},
    {"question": "who sees it", "choice": ["she", "he "], "answer": "he"},
]


@pytest.mark.parametrize("nested", ["file", "lines", ""])
@pytest.mark.parametrize("lines", [["it begins", "and ends"], ["it begins and ends"]])
def test_c3(nested: str, lines: list[str], tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As its authors have it, `[lines, questions, id]`, and as CLUE on the Hub has it, a question in each row."""
    rows = [{"id": i, "context": lines, **question} for i, question in enumerate(C3 * 3)]
    dialogues = [[lines, C3, "m-1"]] * 3
    content = json.dumps(dialogues) if nested == "file" else "\n".join(map(json.dumps, dialogues if nested else rows))
    path = Path("c3.json" if nested == "file" else "c3.jsonl")
    path.write_text(content)
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=str(path))
    assert "Columns: context 'context', question 'question', endings 'choice', label 'answer'." in caplog.text
    examples = data.examples("train")
    assert [examples[i]["label"] for i in range(6)] == [1, 1] * 3
    assert examples[0]["context"] == "\n".join(lines)
    text = data.tokenizer.decode(data.datasets["train"][[0]]["input_ids"][0, 1], skip_special_tokens=True)
    assert text == "it begins and ends what ends the book"


def test_lines_as_a_table_holds_them(tokenizer_folder: Path) -> None:
    cells = ["\"['it begins', 'and ends']\"", "\"['ends', 'begins']\"", "begins"]
    Path("t.csv").write_text("context,choice,answer\n" + (",".join(cells) + "\n") * 4)
    data = make(tokenizer_folder, train_files="t.csv")
    assert data.examples("train")[0]["context"] == "it begins\nand ends"
    assert data.examples("train")[0]["label"] == 1


def test_a_number_counts_endings_that_are_numbers(tokenizer_folder: Path) -> None:
    rows = [{"ctx": "a film", "endings": ["1", "2", "3"], "label": label} for label in (1, "1", 2, "2")]
    data = make(tokenizer_folder, train_files=write("rows.jsonl", rows))
    assert [data.examples("train")[i]["label"] for i in range(4)] == [1, 0, 2, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"context": [{"speaker": "a"}], **C3[0]}], "in column 'context' is no context; a text, or a list of texts"),
        ([{"context": [], **C3[0]}], "in column 'context' is no context"),
        ([{"context": "a", "options": [["b", "c"], ["d", "e"]], "answer": "A"}], "each question is a row of its own"),
        ([{"context": "a", **C3[0], "answer": "no film"}], "the label 'no film' in column 'answer' is none of the 3"),
        ([[["a"], C3, "1"], [["a"], ["b"], "2"]], "dialogue 1 question 0: 'b' where an object with a question"),
        ([[["a"], C3, "1"], "b"], r"dialogue 1: 'b' where \[lines, questions, id\] should be"),
    ],
)
def test_what_is_no_c3(content: list[Any], message: str, tokenizer_folder: Path) -> None:
    Path("c3.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files="c3.json")
