"""Words of languages that are written without spaces, for masking whole words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from .cjk import WORD_LIST_CJK
from .cleaning import function_key, function_name
from .readers import fingerprint, open_text

LONGEST_WORD = 1_000
"""Characters: each beginning of a word is kept."""

Segmenter = Callable[[str], list[str]]
"""Divides a text into words."""

_RUNS = re.compile(rf"([{WORD_LIST_CJK}]++)|[^{WORD_LIST_CJK}]++")
_IS_CJK = re.compile(rf"[{WORD_LIST_CJK}]+")


class WordList:
    """Divides Chinese and Japanese characters into the words of a list, the longest first, from left to right.

    Args:
        path: a text file (utf-8, plain or compressed) of one word a line; what follows after white space, such as a
            count, is ignored.

    Raises:
        InputError: if there is no such file, or no word in it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_word: dict[str, bool] = {}  # and of each beginning of a word, so that a search knows when to stop
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                fields = line.split(maxsplit=1)
                if fields and len(fields[0]) > LONGEST_WORD:
                    raise InputError(
                        f"The word list {path} has a word of more than {LONGEST_WORD} characters in line {number}: one "
                        "word a line would work; a text is no list."
                    )
                if fields and _IS_CJK.fullmatch(fields[0]):  # others are never looked up
                    for end in range(1, len(fields[0])):
                        self.is_word.setdefault(fields[0][:end], False)
                    self.is_word[fields[0]] = True
        if not self.is_word:
            raise InputError(
                f"The word list {path} holds no Chinese or Japanese word: it must have one in each line, in UTF-8. "
                "Words between spaces need no list."
            )

    def __call__(self, text: str) -> list[str]:
        """Return the pieces, which joined are the text.

        Chinese and Japanese characters come in words, or alone where no word of the list begins; what lies between
        comes in one piece.
        """
        pieces: list[str] = []
        for run in _RUNS.finditer(text):
            if run[1] is None:
                pieces.append(run[0])
            else:
                self._divide(run[1], pieces)
        return pieces

    def key(self) -> list[Any]:
        """Return what a cache key must hold."""
        return fingerprint([self.path])

    def _divide(self, run: str, pieces: list[str]) -> None:
        start = 0
        while start < len(run):
            longest = end = start + 1
            while (known := self.is_word.get(run[start:end])) is not None and end <= len(run):
                if known:
                    longest = end
                end += 1
            pieces.append(run[start:longest])
            start = longest


def make_segmenter(words: str | Segmenter | None) -> Segmenter | None:
    """Return what divides a text into words.

    Args:
        words: path of a word list, or a function such as `jieba.lcut`, or null for none.

    Raises:
        InputError: if the list cannot be read.
    """
    if words is None or callable(words):
        return words
    return WordList(words)


def key(words: str | Segmenter | None) -> Any:
    """Return what a cache key must hold of `make_segmenter`'s argument."""
    return fingerprint([words]) if isinstance(words, str) else function_key(words)


def boundaries(segmenter: Segmenter, text: str) -> np.ndarray:
    """Return where words begin.

    Args:
        segmenter: divides the text; it may drop white space, and may give it as pieces of its own, which are no words.
        text: any.

    Returns:
        (characters + 1,) bool: true where the first character of a word stands; false at the end.

    Raises:
        InputError: if the pieces are not those of the text.
    """
    pieces = ["".join(piece.split()) for piece in segmenter(text)]
    joined, expected = "".join(pieces), "".join(text.split())
    if joined != expected:
        raise InputError(_difference(segmenter, joined, expected))
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    starts = (np.cumsum(lengths) - lengths)[lengths > 0]
    places = np.flatnonzero(np.fromiter((not character.isspace() for character in text), bool, len(text)))
    begins = np.zeros(len(text) + 1, bool)
    begins[places[starts]] = True
    return begins


def _difference(segmenter: Segmenter, joined: str, expected: str) -> str:
    at = next(
        (i for i, (a, b) in enumerate(zip(joined, expected, strict=False)) if a != b), min(map(len, (joined, expected)))
    )
    return (
        f"The pieces that {function_name(segmenter)} divides a text into do not give the text back: where it has "
        f"{expected[at : at + 20]!r}, they have {joined[at : at + 20]!r} (white space aside). A segmenter must return "
        "the text's own pieces in their order, without changing or dropping a character."
    )
