"""Where words and tokens stand in a text, in every script: no character falls between them unseen.

A character with its marks (accents, vowel signs, what selects the form of an emoji) is one, however encoded. Formatting
characters (soft hyphens, joiners, marks of direction) belong to a word inside of it, and to nothing elsewhere.
"""

from __future__ import annotations

import string
import unicodedata
from typing import Any

import numpy as np
import regex

from .cjk import CJK_CHARACTER

Place = tuple[int, int]
"""Where something begins and ends in a text, in characters."""

_MARK = r"[\p{M}\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_FORMAT = r"[\p{Cf}--[\u200b\u2060-\u2064\ufeff]]"
_ALONE = rf"(?:{CJK_CHARACTER.pattern}|[\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}])"
_LETTER = rf"(?:(?!{_ALONE})[\p{{L}}\p{{N}}_])"
_SIGN = r"[^\p{L}\p{N}\p{M}\p{Cc}\p{Cf}\p{Cs}\s_]"
WORD = regex.compile(
    rf"""
    {_ALONE}{_MARK}*+                                        # a character of a script without spaces
    | {_LETTER}{_MARK}*+(?:{_FORMAT}*+{_LETTER}{_MARK}*+)*+  # letters and digits
    | [\U0001f1e6-\U0001f1ff]{{2}}                           # a flag
    | {_SIGN}{_MARK}*+(?:(?<=\u200d){_SIGN}{_MARK}*+)*+      # any other sign; emoji with joiners
    """,
    regex.VERBOSE | regex.VERSION1,
)
"""A word: letters and digits, or a sign. In scripts that are written without spaces, every character is one."""
MARKS = regex.compile(f"{_MARK}+", regex.VERSION1)
EDGE = regex.compile(r"[\s\p{Cf}\p{M}]*+", regex.VERSION1)
NOTHING = regex.compile(r"[\s\p{Cf}]", regex.VERSION1)


def words_of(text: str) -> list[Place]:
    """Return where the words of a text are."""
    return [match.span() for match in WORD.finditer(text)]


def core(text: str, start: int, end: int) -> Place:
    """Return a part of a text without white space and formatting at its edges, with all marks of its last character.

    A part that holds nothing else is given back as it is.
    """
    first = EDGE.match(text, start, end).end()
    while end > first and NOTHING.match(text, end - 1):
        end -= 1
    if first >= end:
        return start, end
    more = MARKS.match(text, end)
    return first, more.end() if more else end


def same_text(context: str, text: str) -> list[Place]:
    """Return where a text stands in another one, whatever their spaces and forms of Unicode (composed, wide or not)."""
    folded, places = _folded(context)
    wanted = _folded(text)[0]
    starts = [i for i in range(len(folded)) if folded.startswith(wanted, i)] if wanted else []
    return [(places[i], places[i + len(wanted) - 1] + 1) for i in starts]


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the compatible decomposition, unformatted, one space for each run, and where its characters are from."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character):
            if part.isspace():
                part = " "
                if characters[-1:] == [" "]:
                    continue
            if unicodedata.category(part) != "Cf":
                characters.append(part)
                places.append(place)
    return "".join(characters), places


def begins_late(tokenizer: Any) -> bool:
    """Return whether a tokenizer's offsets leave out the first character of words.

    Byte-level tokenizers that add a space to each word after dividing at spaces (RobBERT) do, as they take the word's
    first character for that space.
    """
    text = " ".join(string.ascii_lowercase)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return any(begin == end > 0 and text[begin - 1] != " " for begin, end in offsets)


def token_places(text: str, offsets: list[Place], late: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return where tokens begin and end: without white space at either side, and with the marks that have no token.

    Args:
        text: any.
        offsets: of its tokens, as the tokenizer says them.
        late: from `begins_late`.

    Returns:
        (tokens,) int64 each. Tokens of nothing but white space are as they were.
    """
    begin, end = np.array(offsets, np.int64).reshape(-1, 2).T.copy()
    if not len(begin):
        return begin, end
    space = np.append(np.fromiter(map(str.isspace, text), bool, len(text)), True)
    if late:
        before = np.append(0, np.maximum.accumulate(end)[:-1])
        begin -= (begin > before) & ~space[begin - 1]
    # Of each place, the next one that is not white space, and the one after the last such before it.
    number = np.arange(len(space))
    after = np.minimum.accumulate(np.where(space, len(text), number)[::-1])[::-1]
    behind = np.append(0, np.maximum.accumulate(np.where(space, 0, number + 1)))
    blank = after[np.minimum(begin, len(text))] >= end
    begin, end = np.where(blank, begin, after[begin]), np.where(blank, end, behind[end])
    if not text.isascii():
        covered = np.zeros(len(text) + 1, np.int64)
        np.add.at(covered, begin, 1)
        np.add.at(covered, end, -1)
        covered = np.cumsum(covered)
        for match in MARKS.finditer(text):
            free = match.start()
            while free < match.end() and covered[free]:
                free += 1
            stop = free
            while stop < match.end() and not covered[stop]:
                stop += 1
            end[(end == free) & (begin < end)] = stop
    return begin, end


def owners(begin: np.ndarray, end: np.ndarray, words: list[Place]) -> tuple[np.ndarray, np.ndarray]:
    """Return which words the tokens belong to; for words that share a token, the first of them answers.

    Args:
        begin: (tokens,), from `token_places`.
        end: (tokens,).
        words: in order, not overlapping.

    Returns:
        (tokens,), the number of the word that each answers for, -1 for none; (words,), of each word the number of
        the first that it shares tokens with: its own, mostly.
    """
    starts, ends = np.array(words, np.int64).reshape(-1, 2).T
    first = np.searchsorted(ends, begin, side="right")  # the first word that ends after the token's beginning
    last = np.searchsorted(starts, end, side="left") - 1  # the last that begins before its end
    touches = (first <= last) & (begin < end)
    joined = np.zeros(len(words) + 1, np.int64)  # whether a word hangs together with the one before it
    np.add.at(joined, first[touches] + 1, 1)
    np.add.at(joined, last[touches] + 1, -1)
    hangs = np.cumsum(joined)[: len(words)] > 0
    leader = np.maximum.accumulate(np.where(hangs, 0, np.arange(len(words))))
    owner = np.full(len(begin), -1)
    owner[touches] = leader[first[touches]]
    return owner, leader


def firsts(owner: np.ndarray) -> np.ndarray:
    """Return (tokens,), whether a token is the first of those that answer for a word."""
    is_first = np.zeros(len(owner), bool)
    is_first[np.unique(owner, return_index=True)[1]] = True
    return np.logical_and(is_first, owner >= 0)
