"""Sentences by punctuation, in English and Chinese and what is written like them."""

from __future__ import annotations

import re

from .cjk import ALL_CJK

STRONG = "。！？；｡"
"""End a sentence wherever they stand."""

_CLOSERS = re.escape("\"'”’»)]}）】》〉」』〕］｝")
_OPENERS = frozenset("\"'“‘«([{（【《〈「『〔［｛¿¡")
_CONTINUES = frozenset(",;:，、：；)]}”’）】》〉」』")

# Possessive throughout, and nothing may fail after a repetition: no position is looked at twice.
_ENDS = re.compile(rf"([.!?…{STRONG}]++)([{_CLOSERS}]*+)(\s*+)|[\n\r\v\f\x85\u2028\u2029]\s*+")
_BREAK = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
_CJK = re.compile(f"[{ALL_CJK}]")
_ACRONYM = re.compile(r"[^\W\d_](?:\.[^\W\d_])*+")

_ABBREVIATIONS = re.compile(
    r"mr|mrs|ms|messrs|dr|prof|rev|hon|st|mt|sr|jr|gen|col|lt|capt|sgt|cmdr|adm|gov|sen|rep|pres|"
    r"vs|v|cf|al|etc|e\.g|i\.e|eg|ie|viz|ca|approx|est|dept|univ|inc|ltd|co|corp|bros|ph\.d|m\.d",
    re.IGNORECASE,
)
_BEFORE_NUMBERS = re.compile(
    r"nos?|vols?|figs?|pp?|eqs?|ch|sec|art|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec", re.IGNORECASE
)
_LONGEST = 10
"""Characters before a full stop that are looked at: more than any abbreviation has."""


def split_sentences(text: str) -> list[str]:
    """Divide a text into sentences.

    They end at line breaks; at 。！？； with the quotes and brackets that close after them; and at . ! ? … before white
    space and a capital letter, a digit, an opening quote or bracket, or a letter of a script without capitals, unless
    the full stop belongs to an abbreviation, an initial, or a number in front of a list entry. Before a Chinese or
    Japanese character, ! ? … need no white space.

    Args:
        text: any.

    Returns:
        The sentences in order. Only white space at their edges is lost.
    """
    sentences: list[str] = []
    start = 0
    for match in _ENDS.finditer(text):
        if match[1] is None or _is_end(text, start, match):
            if sentence := text[start : match.end()].strip():
                sentences.append(sentence)
            start = match.end()
    if sentence := text[start:].strip():
        sentences.append(sentence)
    return sentences


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    marks, closers, space = match.groups()
    following = text[match.end() : match.end() + 1]
    if not following or (space and _BREAK.search(space)):
        return True
    if any(mark in STRONG for mark in marks):
        return following not in _CONTINUES
    if not space:
        return marks.strip(".") != "" and _CJK.match(following) is not None
    if following.islower() or not (following.isalnum() or following in _OPENERS):
        return False
    return marks != "." or closers != "" or not _is_abbreviation(text, start, match.start(), following)


def _is_abbreviation(text: str, start: int, stop: int, following: str) -> bool:
    """Return whether the full stop at `stop` belongs to the word before it."""
    before = text[max(start, stop - _LONGEST) : stop]
    if before[-1:].isspace():  # tokenized text, where abbreviations keep their full stop and sentences do not
        return False
    word = (before.split() or [""])[-1].lstrip("\"'“‘«([{—–-")
    if word.isdecimal() and stop - start < _LONGEST and text[start:stop].strip() == word:
        return True  # `1. First entry`
    if _ABBREVIATIONS.fullmatch(word):
        return True
    if _BEFORE_NUMBERS.fullmatch(word):
        return following.isdecimal()
    return word.isupper() and _ACRONYM.fullmatch(word) is not None  # initials (J.) and U.S.
