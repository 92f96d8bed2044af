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
