"""Pipes, lines without an end, halves of characters, numbers without an end, JSON that is almost SQuAD's."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pretune.errors import InputError
from pretune.text.readers import expand, json_text, mended, opening, read_documents, read_rows, text


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    """A pipe that nobody writes into would be waited for without end."""
    os.mkfifo("pipe.csv")
    for name in ("pipe.csv", "/dev/null", f"file://{tmp_path}/pipe.csv"):
        with pytest.raises(InputError, match=f"{name.removeprefix('file://')} is a pipe or a device"):
            expand(name)
    with pytest.raises(InputError, match="cannot come from standard input"):
        expand("-")


def documents(name: str, **options: Any) -> list[str]:
    return list(read_documents(name, **options))


def test_lines_without_an_end_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LONGEST", 10)
    whole = "abcdefghij" * 3
    Path("a.txt").write_text(f"one\n{whole}\n{whole[:25]}\n\nend\n")
    skipped: Counter[str] = Counter()
    assert documents("a.txt", skipped=skipped) == ["one", *[whole[:10]] * 3, *[whole[:10]] * 2, "abcde", "end"]
    assert skipped == {"blank": 1}
    Path("a.jsonl").write_text(json.dumps({"text": whole[:25]}))
    assert documents("a.jsonl") == [whole[:10], whole[:10], "abcde"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\nx,1\n" + "y" * 200 + ",1\n"),
        ("a.tsv", "text\tlabel\nx\t1\n" + "y" * 200 + "\t1\n"),
        ("a.jsonl", '{"text": "x"}\n{"text": "x"}\n{"text": "' + "y" * 200 + '"}\n'),
        ("a.conll", "x O\n\n" + "y" * 200 + " O\n"),
    ],
)
def test_rows_without_an_end_are_refused(name: str, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LONGEST_LINE", 100)
    Path(name).write_text(content)
    with pytest.raises(InputError, match=f"{name}:3: a line of more than 100 characters"):
        list(read_rows(name))


def test_a_cell_of_many_lines_has_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.csv").write_text('text,label\nx,1\n"' + "y\n" * 100)
    limit = csv.field_size_limit(100)
    try:
        with pytest.raises(InputError, match=r"a.csv:3: field larger than field limit \(100\) .*a cell has an end"):
            list(read_rows("a.csv"))
    finally:
        csv.field_size_limit(limit)


def test_a_half_of_a_character_is_read_as_one_that_stands_for_it(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(json_text, "_told", set())
    rows: list[Any] = [{"text": "good \U0001f600"}, {"text": "half \ud83d", "more": [{"\udc00": "\ude00"}], "n": 1}]
    rows += [{"text": "\ud83d"}]
    Path("a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("a.json").write_text(json.dumps(rows))
    for name in ("a.jsonl", "a.json"):
        found = [row for _, row in read_rows(name)]
        assert found == [rows[0], {"text": "half \ufffd", "more": [{"\ufffd": "\ufffd"}], "n": 1}, {"text": "\ufffd"}]
    told = [str(warning.message) for warning in recwarn if "surrogate" in str(warning.message)]
    assert len(told) == 2
    assert told[0].startswith("a.jsonl:2: half of a character")
    assert mended(["é", "\udce9"], "data.predict_texts") == ["é", "\ufffd"]  # a byte of a terminal that is not UTF-8


def test_numbers_without_an_end() -> None:
    Path("a.jsonl").write_text('{"text": "x"}\n{"text": ' + "1" * 5000 + "}\n")
    with pytest.raises(InputError, match=r"a.jsonl:2: a number is too long"):
        list(read_rows("a.jsonl"))


def question(**changes: Any) -> dict[str, Any]:
    return {"id": "q1", "question": "who?", "answers": [{"text": "a", "answer_start": 0}], **changes}


@pytest.mark.parametrize(
    ("article", "told"),
    [
        ([1], r"a.json article 1: \[1\] where an object with 'paragraphs'"),
        ({"paragraphs": {}}, r"a.json article 1: 'paragraphs' is \{\}, where a list"),
        ({"paragraphs": ["x"]}, "a.json article 1: 'x' where an object with 'qas'"),
        ({"paragraphs": [{"context": "a", "qas": ["x"]}]}, "a.json article 1: 'x' where an object with 'id'"),
        ({"paragraphs": [{"context": "a", "qas": [{"question": "x"}]}]}, "question None: 'id' is missing"),
        ({"paragraphs": [{"context": None, "qas": [question()]}]}, "question q1: 'context' is None, where a text"),
        ({"paragraphs": [{"context": "a", "qas": [question(question=3)]}]}, "q1: 'question' is 3, where a text"),
        ({"paragraphs": [{"context": "a", "qas": [question(answers={"text": ["a"]})]}]}, "'answers' is .*where a list"),
        ({"paragraphs": [{"context": "a", "qas": [question(answers=["a"])]}]}, "'a' where an object with 'text'"),
        (
            {"paragraphs": [{"context": "a", "qas": [question(answers=[{"text": "a", "answer_start": "0"}])]}]},
            "'answer_start' is '0', where a number",
        ),
    ],
)
def test_almost_squad(article: Any, told: str) -> None:
    good = {"paragraphs": [{"context": "a", "qas": [question(id=7), question(answers=None)]}]}
    Path("a.json").write_text(json.dumps({"data": [good, article]}))
    rows = read_rows("a.json")
    assert next(rows)[1]["answers"] == {"text": ["a"], "answer_start": [0]}
    assert "answers" not in next(rows)[1]
    with pytest.raises(InputError, match=told):
        next(rows)
