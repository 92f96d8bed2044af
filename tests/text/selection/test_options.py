"""The options of a selection: what is refused, and what a cache key holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pretune.errors import InputError
from pretune.text.selection.options import Selection


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "data.selection says neither what to keep"),
        ({"keep": 0.1}, "data.selection.keep is 0.1, and no data.selection.method says which"),
        ({"method": "random"}, "data.selection.keep is missing"),
        ({"method": "random", "keep": 0}, "data.selection.keep is 0; it must be above 0"),
        ({"method": "random", "keep": -3}, "data.selection.keep is -3; it must be above 0"),
        ({"method": "random", "keep": 1.5}, "data.selection.keep is 1.5; it must be a share of the documents"),
        ({"method": "random", "keep": float("nan")}, "data.selection.keep is nan"),
        ({"method": "best", "keep": 1}, "data.selection.method is 'best'; there are: importance, diversity, random"),
        ({"method": "importance", "keep": 1}, "data.selection.target is missing"),
        ({"method": "random", "keep": 1, "target": "a.txt"}, "data.selection.target has no effect without"),
        ({"method": "random", "keep": 1, "backbone": "x"}, "data.selection.backbone has no effect without"),
        ({"method": "random", "keep": 1, "against_columns": ["x"]}, "data.selection.against_columns has no effect"),
        ({"against": "a.txt", "ngram": 0}, "data.selection.ngram is 0; it must be at least 1"),
        ({"against": "a.txt", "ngram": None}, "data.selection.ngram is null"),
        ({"method": "diversity", "keep": 1, "clusters": 1}, "data.selection.clusters is 1; it must be at least 2"),
        ({"method": "diversity", "keep": 1, "centers": "x"}, "data.selection.centers is 'x'"),
        ({"method": "random", "keep": 1, "buckets": 1}, "data.selection.buckets is 1"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Selection(**options)
    assert message in str(caught.value)


@pytest.mark.parametrize(("keep", "kept"), [(0.1, 5), (1.0, 50), (1, 50), (0.001, 1), (7, 7), (50, 50)])
def test_a_share_or_a_number(keep: float, kept: int) -> None:
    assert Selection("random", keep).count(50, "c.txt") == kept


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match=r"data\.selection\.keep is 51, but c\.txt has only 50 training documents"):
        Selection("random", 51).count(50, "c.txt")


def test_files_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"There is no file no\.txt"):
        Selection("importance", 0.5, target="no.txt").find_files()
    with pytest.raises(InputError, match=r"There is no file no\.jsonl"):
        Selection(against="no.jsonl").find_files()
    with pytest.raises(InputError, match=r"There is no file or folder \./no"):
        Selection("diversity", 0.5, backbone="./no").find_files()


def test_keys_differ_by_what_has_an_effect() -> None:
    Path("a.txt").write_text("one")
    Path("b.txt").write_text("two")
    all_options: list[dict[str, Any]] = [
        {"method": "random", "keep": 0.1},
        {"method": "random", "keep": 0.1, "seed": 1},
        {"method": "random", "keep": 0.2},
        {"method": "importance", "keep": 0.1, "target": "a.txt"},
        {"method": "importance", "keep": 0.1, "target": "b.txt"},
        {"method": "importance", "keep": 0.1, "target": "a.txt", "buckets": 7},
        {"method": "importance", "keep": 0.1, "target": "a.txt", "target_columns": ["x"]},
        {"method": "diversity", "keep": 0.1},
        {"method": "diversity", "keep": 0.1, "clusters": 3},
        {"method": "diversity", "keep": 0.1, "centers": "k_center"},
        {"method": "diversity", "keep": 0.1, "backbone": "x"},
        {"against": "a.txt"},
        {"against": "a.txt", "ngram": 8},
        {"against": "b.txt"},
    ]
    keys = [json.dumps(Selection(**options).key()) for options in all_options]
    assert len(set(keys)) == len(keys)
    before = Selection(against="a.txt").key()
    Path("a.txt").write_text("three")
    assert Selection(against="a.txt").key() != before
    assert Selection(against="b.txt", clusters=9).key() == Selection(against="b.txt").key()
