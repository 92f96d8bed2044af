"""The sets of Chinese and Japanese characters, which caches and scores depend on, are what they were."""

from __future__ import annotations

import re
import sys

import pytest

from pretune.text.cjk import ALL_CJK, CJK_CHARACTER, CMRC_CHINESE, IDEOGRAPHS, KANA, WORD_LIST_CJK

BEFORE = {
    "counted": (CJK_CHARACTER.pattern, "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\U00020000-\U0002fa1f]"),
    "scored": (f"[{IDEOGRAPHS}{KANA}]", "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\u3040-\u30ff]"),
    "sentences": (
        f"[{ALL_CJK}]",
        r"[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]",
    ),
    "lists": (
        f"[{WORD_LIST_CJK}]",
        "[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]",
    ),
    "cmrc2018": (CMRC_CHINESE.pattern, "[\u4e00-\u9fa5]"),
}
"""Of version 0.1."""
EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


@pytest.mark.parametrize("use", BEFORE)
def test_no_character_has_come_or_gone(use: str) -> None:
    now, before = BEFORE[use]
    assert not set(re.findall(now, EVERYTHING)) ^ set(re.findall(before, EVERYTHING))


def test_scripts_lie_apart() -> None:
    kana, ideographs = (set(re.findall(f"[{characters}]", EVERYTHING)) for characters in (KANA, IDEOGRAPHS))
    assert not kana & ideographs
    assert kana | ideographs == set(CJK_CHARACTER.findall(EVERYTHING)) < set(re.findall(f"[{ALL_CJK}]", EVERYTHING))
