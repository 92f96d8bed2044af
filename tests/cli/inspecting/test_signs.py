from __future__ import annotations

from typing import Any

from pretune.cli.inspecting.inspection import DecodedText, Token
from pretune.cli.inspecting.signs import signed
from pretune.contracts import ShownSpan


def said(*tokens: Any, spans: Any = (), padding: int = 0, most: int = 100) -> str:
    text = DecodedText("", [Token(*token) for token in tokens], padding, spans)
    return "".join(piece.text for piece in signed(text, most))


def test_signs_by_hand() -> None:
    assert said((" a", "read"), (" b", "learned"), (" c", "learned"), (" d", "ignored")) == " a «b c» ‹d›"
    assert said(("[CLS]", "special"), (" [MASK]", "masked", "film"), (" [MASK]", "masked")) == (
        "[CLS] «[MASK]←film» «[MASK]»"
    )
    assert said((" x", "replaced", "old"), (".", "read")) == " «x←old»."


def test_labels_of_words() -> None:
    spans = [ShownSpan(0, 2, "PER"), ShownSpan(2, 3, "LOC")]
    tokens = [(" Jim", "learned"), ("son", "ignored"), (" Paris", "learned"), (" it", "learned")]
    assert said(*tokens, spans=spans) == " «Jim|son»/PER «Paris»/LOC «it»"
    assert said(*tokens, spans=[ShownSpan(2, 4, "X")], most=3) == " «Jim»‹son› «Paris»/X ... and 1 more"


def test_borders_within_words() -> None:
    assert said((" un", "read"), ("able", "read"), (",", "read"), (" to", "read")) == " un|able, to"
    assert said(("你", "read"), ("好", "read"), ("世界", "read")) == "你好|世界"


def test_line_feeds_and_padding() -> None:
    assert said(("a\n", "read"), ("b", "read"), padding=3) == "a⏎\nb + 3 of padding"
