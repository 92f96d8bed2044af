"""Labels that are several for another reason than their rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.datamodules import TextClassificationDataModule, TokenClassificationDataModule
from pretune.datamodules.tables.labels import LabelNames, warn_of_numbers_in_several_ways

CSV = "text,label\n" + "".join(f"a text {i},{('1', '1.0', '0', '0.0')[i % 4]}\n" for i in range(40))
JSON = "".join(f'{{"text": "a text {i}", "label": {("1", "1.0", "0", "0.0")[i % 4]}}}\n' for i in range(40))


def said(action: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [text for text in (str(warning.message) for warning in caught) if "several ways" in text]


def fitted(kind: Any, name: str, text: str, tokenizer_folder: Path, **options: Any) -> tuple[Any, list[str]]:
    Path(name).write_text(text)
    data = kind(name, tokenizer=str(tokenizer_folder), **options)
    data.prepare_data()
    return data, said(lambda: data.setup("fit"))


def test_numbers_in_several_ways_are_named(tokenizer_folder: Path) -> None:
    data, (message,) = fitted(TextClassificationDataModule, "r.csv", CSV, tokenizer_folder)
    assert sorted(data.labels) == ["0", "0.0", "1", "1.0"]
    assert message.startswith(
        "Numbers written in several ways are several labels: '1' (r.csv:2) and '1.0' (r.csv:3), '0' (r.csv:4) and '0.0'"
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "text", "options", "labels"),
    [
        ("r.jsonl", JSON, {}, ["0", "1"]),
        ("r.csv", CSV, {"label_names": {"1": "yes", "1.0": "yes", "0": "no", "0.0": "no"}}, ["yes", "no"]),
        ("r.csv", CSV.replace("1.0", "2").replace("0.0", "-0.5e1"), {"problem": "single"}, ["-0.5e1", "0", "1", "2"]),
    ],
)
def test_numbers_in_one_way_are_not(
    name: str, text: str, options: dict[str, Any], labels: list[str], tokenizer_folder: Path
) -> None:
    data, messages = fitted(TextClassificationDataModule, name, text, tokenizer_folder, **options)
    assert data.labels == labels
    assert messages == []


def test_tags_are_labels_too(tokenizer_folder: Path) -> None:
    rows = "".join(f'{{"tokens": ["a", "b"], "tags": ["{i % 2}", "{("1.0", "0")[i % 2]}"]}}\n' for i in range(20))
    _, (message,) = fitted(TokenClassificationDataModule, "t.jsonl", rows, tokenizer_folder, scheme="tags")
    assert "'1.0' (t.jsonl:1) and '1' (t.jsonl:2)" in message


def test_what_is_a_number() -> None:
    numbers, others = ["1", "01", "+1", "1e0", ".5", "0.50", "10"], ["nan", "NaN", "inf", "infinity", "1_0", "１"]
    labels = dict.fromkeys(numbers + others, "x")
    (message,) = said(lambda: warn_of_numbers_in_several_ways(labels, LabelNames(None)))
    assert "'1' (x) and '01' (x) and '+1' (x) and '1e0' (x), '.5' (x) and '0.50' (x). Write" in message
