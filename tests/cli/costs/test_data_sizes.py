"""Rows, labels and tokens of each split, as far as data say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pretune.cli.costs.data_sizes import data_sizes
from pretune.contracts import data_facts


def test_what_data_say_is_told_and_the_rest_left_out() -> None:
    source = SimpleNamespace(has=lambda split: split == "train", name=lambda split: "a.csv")
    labels = {"train": {"a": 2, "b": 1}}
    data: Any = SimpleNamespace(
        datasets={"train": [1, 2, 3], "validation": [4]},
        source=source,
        occurrences=lambda split: labels[split],
        counts={"validation": {"tokens": 9}},
    )
    assert data_sizes(data_facts(data)) == {
        "train": {"files": "a.csv", "rows": 3, "labels": {"a": 2, "b": 1}},
        "validation": {"rows": 1, "tokens": 9},
    }
    assert data_sizes(data_facts(None)) == {}
