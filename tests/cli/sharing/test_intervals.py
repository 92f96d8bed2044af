"""Intervals of what was logged, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from pretune.cli.sharing.intervals import intervals, most_frequent

TEST = {"labels": ["a", "b", "c"], "confusion_matrix": [[40, 5, 0], [4, 20, 6], [1, 2, 22]]}
ROWS = [{"label": "a", "prediction": "a" if i % 4 else "b", "probabilities": {"a": 0.6, "b": 0.4}} for i in range(40)]


def test_of_a_confusion_matrix() -> None:
    found = intervals(TEST, {"accuracy": 0.82, "loss": 0.4, "f1": 0.5}, [])  # another f1 than the macro one
    assert set(found) == {"accuracy"}
    assert 0.70 < found["accuracy"].low < 0.80
    assert 0.84 < found["accuracy"].high < 0.93


def test_of_rows() -> None:
    found = intervals({}, {"accuracy": 0.75}, ROWS)
    assert 0.55 < found["accuracy"].low < 0.75 < found["accuracy"].high < 0.95
    assert intervals({}, {"accuracy": 0.70}, ROWS) == {}
    assert intervals({}, {"accuracy": 0.75}, []) == {}


@pytest.mark.parametrize(
    "matrix", [None, "left out: 900 labels", [], [[1]], [[1, 2]], [[0, 0], [0, 0]], [[1, "x"], [2, 3]]]
)
def test_what_is_no_matrix(matrix: Any) -> None:
    test = {"labels": ["a", "b"], "confusion_matrix": matrix}
    assert intervals(test, {"accuracy": 0.5}, []) == {}
    assert most_frequent(test) is None


def test_the_most_frequent_label() -> None:
    assert most_frequent(TEST) == 0.45
