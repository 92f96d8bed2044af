"""What texts are compared by."""

from __future__ import annotations

import numpy as np
import pytest

from pretune.text.selection.units import WORDS, WORDS_AND_SIGNS, buckets, codes, ngrams, words_at


def test_words_in_any_script() -> None:
    assert WORDS.findall("the film's end") == ["the", "film", "s", "end"]
    assert WORDS.findall("在北京看film很好") == ["在", "北", "京", "看", "film", "很", "好"]
    assert WORDS.findall("映画を見る") == list("映画を見る")
    assert WORDS.findall("это фильм") == ["это", "фильм"]
    assert WORDS_AND_SIGNS.findall("Well... 好。 ok?!") == ["Well", "...", "好", "。", "ok", "?!"]


def test_case_and_forms_of_a_character_do_not_matter() -> None:
    one, _ = codes(["The Ｆｉｌｍ２, \ud800"], WORDS)
    other, _ = codes(["the film2"], WORDS)
    assert one.tolist() == other.tolist()


def test_buckets_are_words_and_pairs_within_a_text() -> None:
    found, owners = buckets(["a b", "", "b a b"], 1 << 24)
    assert owners.tolist() == [0, 0, 2, 2, 2, 0, 2, 2]  # words, then pairs of words
    a, b, _, a_again, _ = found[:5].tolist()[0], found[1], None, found[3], None
    assert a == a_again
    assert found[1] == found[2] == found[4] == b
    assert found[5] == found[7] != found[6]  # "a b" of the first text and of the third one; "b a"
    assert len(set(found.tolist())) == 4


def test_chinese_characters_are_units() -> None:
    found, _ = buckets(["北京"], 1 << 24)
    assert len(found) == 3
    assert len(set(found.tolist()) & set(buckets(["京北"], 1 << 24)[0].tolist())) == 2  # the pair is another one


@pytest.mark.parametrize(("units", "runs"), [(0, 0), (2, 0), (3, 1), (5, 3)])
def test_runs(units: int, runs: int) -> None:
    numbers = np.arange(units, dtype=np.uint64)
    assert len(set(ngrams(numbers, 3).tolist())) == runs


def test_a_stretch_of_a_text() -> None:
    assert words_at("One, two -- THREE four", 1, 2) == "two -- three"
    assert words_at("我看了一部film。", 3, 3) == "一部film"
