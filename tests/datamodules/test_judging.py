"""Whether a prediction is right, where the row to predict says what is."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pretune.datamodules import (
    MultipleChoiceDataModule,
    QuestionAnsweringDataModule,
    SequenceToSequenceDataModule,
    TextClassificationDataModule,
    TokenClassificationDataModule,
)


def with_module(data: Any, **facts: Any) -> Any:
    """The datamodule, as a trainer with a module of such facts leaves it."""
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(**facts), state=SimpleNamespace(fn="predict"))
    return data


CHOICE = {"context": "the film", "endings": ["ends", "begins"]}


@pytest.mark.parametrize(
    ("label", "prediction", "said"),
    [
        (1, 1, {"correct": True}),
        (1, 0, {"correct": False}),
        ("B", 1, {"correct": True}),
        ("begins", 1, {"correct": True}),
        (-1, 1, {}),  # as test sets have it whose labels nobody tells
        (None, 1, {}),
    ],
)
def test_endings(label: Any, prediction: int, said: dict[str, Any]) -> None:
    data = with_module(MultipleChoiceDataModule())
    assert data.judged({**CHOICE, "label": label}, {"prediction": prediction}) == said
    assert data.judged(CHOICE, {"prediction": 1}) == {}
    assert data.judgments([*CHOICE, "label"], {"prediction": ""}) == ["correct"]
    assert data.judgments([*CHOICE], {"prediction": 1}) == []
    assert data.judgments([*CHOICE, "label", "correct"], {"prediction": 1}) == []


@pytest.mark.parametrize(
    ("answers", "prediction", "said"),
    [
        ({"text": ["the Film", "a book"], "answer_start": [0, 20]}, "film.", {"correct": True}),
        ({"text": ["the Film"], "answer_start": [0]}, "film ends", {"correct": False}),
        (["the Film"], "", {"correct": False}),
        ([], "", {"correct": True}),
        ([], "film", {"correct": False}),
        ('{"text": ["the Film"], "answer_start": [0]}', "Film", {"correct": True}),  # a cell of a table
        ("", "film", {}),
        (None, "film", {}),
    ],
)
def test_answers(answers: Any, prediction: str, said: dict[str, Any]) -> None:
    row = {"context": "the Film ends like a book", "question": "what"}
    data = with_module(QuestionAnsweringDataModule(), scoring=None)
    assert data.judged({**row, "answers": answers}, {"prediction": prediction}) == said
    assert data.judged(row, {"prediction": prediction}) == {}
    assert data.judgments([*row, "answers"], {"prediction": ""}) == ["correct"]


def test_answers_go_by_the_rules_of_their_language() -> None:
    row = {"context": "《北京》 the 大学", "question": "?", "answers": ["《北京》", "the 大学"]}
    for scoring, right in ((None, True), ("cmrc2018", True), ("squad", False)):
        data = with_module(QuestionAnsweringDataModule(), scoring=scoring)
        data.predict_rows = [row]
        assert data.judged(row, {"prediction": "北京"}) == {"correct": right}
        assert data.judged(row, {"prediction": "大学"}) == {"correct": scoring == "squad"}


LABELS = ["O", "B-X", "I-X"]


@pytest.mark.parametrize("trained_on", ["rows.jsonl", "gone.jsonl", None])
def test_tags(trained_on: str | None) -> None:
    """Read as those of training, whose scheme the rows to predict tell where nothing else does."""
    rows = [{"tokens": ["a", "b", "c"], "ner_tags": ["I-X", "I-X", "O"]} for _ in range(4)]
    rows += [{"tokens": ["a", "b"], "ner_tags": ["I-X", "B-X"]}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    data = with_module(TokenClassificationDataModule(train_files=trained_on), labels=LABELS)
    data.predict_rows = rows
    assert data.judged(rows[0], {"prediction": ["B-X", "I-X", "O"]}) == {"correct": True}
    assert data.judged(rows[0], {"prediction": ["B-X", "O", "O"]}) == {"correct": False}
    assert data.judged(rows[4], {"prediction": ["B-X", "B-X"]}) == {"correct": True}
    assert data.judged({"tokens": ["a"]}, {"prediction": ["O"]}) == {}
    assert data.judged({"tokens": ["a"], "ner_tags": ["I-Y"]}, {"prediction": ["O"]}) == {}  # none that it knows
    assert data.judgments(["tokens", "ner_tags"], {"prediction": ["O"]}) == ["correct"]
    assert data.judgments(["tokens"], {"prediction": ["O"]}) == []


def test_spans() -> None:
    data = with_module(TokenClassificationDataModule(), labels=LABELS)
    row = {"text": "an old film", "entities": [{"start": 3, "end": 11, "label": "X"}]}
    assert data.judged(row, {"prediction": ["O", "B-X", "I-X"]}) == {"correct": True}
    assert data.judged(row, {"prediction": ["O", "B-X", "O"]}) == {"correct": False}


def test_numbers_and_written_texts_are_neither_right_nor_wrong() -> None:
    numbers = with_module(TextClassificationDataModule(), labels=None)
    assert numbers.judged({"text": "a", "label": 1.5}, {"prediction": 1.5}) == {}
    assert numbers.judgments(["text", "label"], {"prediction": 1.5}) == []
    written = with_module(SequenceToSequenceDataModule(), labels=None)
    assert written.judged({"source": "a", "target": "b"}, {"prediction": "b"}) == {}
    assert written.judgments(["source", "target"], {"prediction": "b"}) == []
