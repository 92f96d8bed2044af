from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from pretune.text.places import core, owners, same_text, token_places, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("José won 3.5%", ["José", "won", "3", ".", "5", "%"]),
        (unicodedata.normalize("NFD", "José!"), [unicodedata.normalize("NFD", "José"), "!"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("กี่โมง", ["กี่", "โ", "ม", "ง"]),
        ("北京 NBA", ["北", "京", "NBA"]),
        ("👨\u200d👩\u200d👧 ❤️🇫🇷👍🏽1️⃣", ["👨\u200d👩\u200d👧", "❤️", "🇫🇷", "👍🏽", "1️⃣"]),
        ("so\u00adft foo\u200bbar \u200eab\u200f", ["so\u00adft", "foo", "bar", "ab"]),
        ("10\u00a0000\u3000円 می\u200cخواهم", ["10", "000", "円", "می\u200cخواهم"]),
        ("\u0301 \u00ad", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in words_of(text)] == words


def test_the_core_of_a_part() -> None:
    text = "in\u00a0Jose\u0301\u200f \ufe0f"
    assert text[slice(*core(text, 2, 9))] == "Jose\u0301"
    assert text[slice(*core(text, 3, 7))] == "Jose\u0301"  # somebody left the accent out
    assert core(text, 8, 9) == (8, 9)  # nothing else: as it is


def test_tokens_have_no_blanks_and_all_marks() -> None:
    text = " ab  Jose\u0301 x"
    begin, end = token_places(text, [(0, 3), (3, 4), (4, 7), (7, 9), (10, 12)])
    assert [text[b:e] for b, e in zip(begin, end, strict=True)] == ["ab", " ", "Jo", "se\u0301", "x"]
    begin, end = token_places("a bc", [(0, 1), (3, 3), (3, 4)], late=True)
    assert (begin.tolist(), end.tolist()) == ([0, 2, 3], [1, 3, 4])


def test_words_that_share_tokens_go_together() -> None:
    words = [(0, 1), (1, 2), (2, 3), (4, 6), (7, 8), (8, 9)]
    # "ab" in one token, then "c" in two (bytes), "de" twice, nothing for "f", and "g".
    begin, end = np.array([0, 2, 2, 4, 5, 8]), np.array([2, 3, 3, 5, 6, 9])
    owner, leader = owners(begin, end, words)
    assert owner.tolist() == [0, 2, 2, 3, 3, 5]
    assert leader.tolist() == [0, 0, 2, 3, 4, 5]
    owner, leader = owners(np.array([0, 1, 3]), np.array([2, 3, 4]), words[:4])  # a chain, and a blank
    assert (owner.tolist(), leader.tolist()) == ([0, 0, -1], [0, 0, 0, 3])


def test_the_same_text_in_another_form() -> None:
    context = "a " + unicodedata.normalize("NFD", "Zoë\u00a0Müller") + " ＡＢ"
    (place,) = same_text(context, "Zoë Müller")
    assert context[slice(*place)] == unicodedata.normalize("NFD", "Zoë\u00a0Müller")
    assert same_text(context, "AB") == [(len(context) - 2, len(context))]
    assert same_text(context, "none") == same_text(context, "") == []
