"""Scripts beside a graph divide texts as the library does, with the standard library alone."""

from __future__ import annotations

import random
import runpy
import sys
import types
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import regex

from pretune.modules.portable.settings import SCRIPTS
from pretune.text.places import words_of

Divide = Callable[[str], list[tuple[int, int]]]
SAMPLES = {
    "Hindi": "नमस्ते दुनिया, हिन्दी में।",
    "Bengali": "আমি বাংলায় গান গাই।",
    "Tamil": "வணக்கம் உலகம்!",
    "Telugu": "నమస్కారం ప్రపంచం",
    "Sinhala": "ශ්‍රී ලංකාව",
    "Thai": "กี่โมงแล้ว ๑๒ ฿50 ๏",
    "Lao": "ສະບາຍດີ ໆ",
    "Khmer": "សួស្តី ៛5 ។",
    "Burmese": "မင်္ဂလာပါ။ ၁၂",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས།",
    "Hebrew": "שָׁלוֹם עולם",
    "Arabic": "السَّلَامُ عَلَيْكُم، ١٢٫٥",
    "Persian": "می\u200cخواهم \u200eab\u200f",
    "Chinese": "北京 NBA 豈龥𠀀〇々",
    "Japanese": "がギ゛ゝー・ カ\u3099 ｶﾞ",
    "Korean": "안녕하세요 " + unicodedata.normalize("NFD", "세계"),
    "French": unicodedata.normalize("NFD", "José n'a pas été là") + " José!",
    "spaces": "foo\u200bbar so\u00adft 10\u00a0000\u3000a\u2060b\ufeffc\u2028d\x85e",
    "emoji": "👨\u200d👩\u200d👧 ❤️🇫🇷🇩 👍🏽🏽 1️⃣ 🏴\U000e0067\U000e0062\U000e007f a\U000e0067b",
    "signs": "_a_ 3.5% ½ Ⅳ x² \u0301 \u00ad -\u0301- a\u200d\u200d-\u200d-",
}


@pytest.fixture(scope="module")
def divide() -> Divide:
    """The script's own function, for which no graph is needed."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in: Any = types.SimpleNamespace(InferenceSession=lambda path: None, Tokenizer=None)
        stand_in.Tokenizer = types.SimpleNamespace(from_file=lambda path: None)
        for name in ("onnxruntime", "tokenizers"):
            patch.setitem(sys.modules, name, stand_in)
        patch.setattr(Path, "read_text", lambda path, encoding: "{}")
        found: Divide = runpy.run_path(str(SCRIPTS / "token_classification.py"))["words_of"]
    return found


@pytest.mark.parametrize("script", SAMPLES)
def test_words_are_those_of_predict(script: str, divide: Divide) -> None:
    assert divide(SAMPLES[script]) == words_of(SAMPLES[script])


def known() -> list[str]:
    """All characters that `regex`, which may be newer, takes for what the standard library does; few that are none."""
    found = []
    for code in range(sys.maxunicode + 1):
        character, category = chr(code), unicodedata.category(chr(code))
        if (category not in ("Cs", "Co", "Cn") or code % 64 == 0) and regex.match(rf"\p{{{category}}}", character):
            found.append(character)
    return found


def test_words_of_every_character_and_of_anything_made_of_them(divide: Divide) -> None:
    characters = known()
    assert len(characters) > 140_000
    for start in range(0, len(characters), 4096):
        part = characters[start : start + 4096]
        text = "".join(f" {c} a{c} {c}a a{c}a 北{c} -{c} -\u200d{c} {c}\u200d-" for c in part)
        assert divide(text) == words_of(text), f"U+{ord(part[0]):04X} and on"
    draw = random.Random(0)
    mixed = "".join(SAMPLES.values()) + "ab- \u0301\u200d\u00ad🏽🇫\U000e0067กิ゛"
    for _ in range(3000):
        text = "".join(draw.choices(mixed, k=12))
        assert divide(text) == words_of(text), ascii(text)
