"""Runs of words that documents share with test sets: exact cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text.selection.contamination import Hit, forbid
from pretune.text.selection.gathering import gather
from pretune.text.selection.judging import make_judge
from pretune.text.selection.options import Selection
from pretune.text.selection.other_texts import read_texts, texts_of

ENGLISH = [f"w{i}" for i in range(20)]
CHINESE = list("这是一个很好的故事他们在北京看电影书")


@pytest.mark.parametrize(("units", "joint"), [(ENGLISH, " "), (CHINESE, "")])
def test_thirteen_in_a_row_and_not_twelve(units: list[str], joint: str) -> None:
    forbidden = forbid([iter([joint.join(units[:15])])], 13)
    assert len(forbidden.hashes) == 3
    other = ["x", "y"] if joint else ["天", "气"]

    def text(begin: int, end: int) -> str:
        return joint.join([*other, *units[begin:end], *other])

    texts = [text(0, 12), text(0, 13), text(2, 15), text(3, 15), text(3, 16), ""]
    hits = forbidden.hits(texts)
    assert set(hits) == {1, 2}
    assert hits[1] == Hit(0, joint.join(units[:13]))
    assert hits[2] == Hit(0, joint.join(units[2:15]))


def test_neither_across_two_texts_nor_across_two_test_texts() -> None:
    forbidden = forbid([iter(["a b c", "d e f"])], 4)
    assert len(forbidden.hashes) == 0
    assert forbidden.short == 2
    forbidden = forbid([iter(["a b c d"])], 4)
    assert forbidden.hits(["a b", "c d", "a b c", "", "d"]) == {}
    assert set(forbidden.hits(["", "a b", "a b c d", "", "x"])) == {2}


def test_case_signs_and_full_width_do_not_hide() -> None:
    forbidden = forbid([iter(["The quick, brown fox!"])], 4)
    assert forbidden.hits(["... THE (quick) brown-fox"]) == {0: Hit(0, "the (quick) brown-fox")}
    assert forbidden.hits(["Ｔｈｅ quick brown fox"]) == {0: Hit(0, "the quick brown fox")}
    assert forbidden.hits(["the quick brown foxes"]) == {}


def test_the_file_is_told() -> None:
    forbidden = forbid([iter(["a b c"]), iter(["d e f", "a b c"])], 3)
    assert forbidden.hits(["x d e f", "a b c"]) == {0: Hit(1, "d e f"), 1: Hit(0, "a b c")}


def test_all_texts_of_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"question": "why not", "n": 3, "choices": ["one", "two"], "more": {"deep": ["x", {"y": "z"}]}}\n')
    assert list(read_texts(str(path), None, "target_columns")) == ["why not", "one two", "x", "z"]
    assert list(read_texts(str(path), ["choices"], "target_columns")) == ["one two"]
    with pytest.raises(
        InputError, match=r"none of the columns of data\.selection\.target_columns \(text\); there are: c"
    ):
        list(read_texts(str(path), ["text"], "target_columns"))
    assert list(texts_of([["a", "b"], None, " ", 1.5])) == ["a b"]
    plain = tmp_path / "t.txt"
    plain.write_text("one\ntwo\n\nthree\n")
    assert list(read_texts(str(plain), ["text"], "target_columns")) == ["one\ntwo", "three"]


def test_test_sets_of_short_texts_are_refused(tmp_path: Path) -> None:
    Path(tmp_path / "t.csv").write_text("a,b\ntoo short,1\n")
    selection = Selection(against=str(tmp_path / "t.csv"))
    with pytest.raises(InputError, match="holds no text of 13 words or more"):
        make_judge(selection, gather(selection, []))
