"""Tokens of words that were met before: a corpus repeats its words, and a tokenizer need not.

Most tokenizers cut a text at white space before they do anything else. What stands between two cuts then always gives
the same tokens, so each such piece is tokenized when it first occurs and looked up ever after.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any

import numpy as np

from .encoding import encode, encode_words

MOST_WORDS = 400_000
MOST_CHARACTERS = 10_000_000
"""The cache is emptied when it holds more: it takes about 100 MB."""

_LOCAL = {"NFC", "NFD", "Lowercase", "StripAccents"}
"""Normalizers that neither make nor move white space, nor look across it."""

_CONTROLS = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
_SPACES = "\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


@dataclass(frozen=True)
class Division:
    """How texts are cut into pieces that may be tokenized one by one.

    Args:
        cut: takes a text to its pieces.
        unfit: characters on whose nature Python and the tokenizer may disagree: a text with one is not cut.
        counts: whether the pieces are the words between white space, without it.
        emptied: finds a word that may be nothing but accents, which are stripped: around it, white space meets.
    """

    cut: Callable[[str], list[str]]
    unfit: str
    counts: bool = False
    emptied: re.Pattern[str] | None = None


# BERT's drops white space (and control characters before, some of which Python takes for white space).
_BETWEEN_SPACES = Division(str.split, _CONTROLS, counts=True)
# GPT-2's expression never goes on from a character that is not white space to one that is.
_BEFORE_WHITE_SPACE = Division(re.compile(r"\s*\S+|\s+").findall, _CONTROLS + _SPACES)
# SentencePiece's begins a piece with every space, and knows no other white space.
_BEFORE_SPACES = Division(re.compile(r" *[^ ]+| +").findall, "")


def division(backend: Any) -> Division | None:
    """Return how texts may be cut for a tokenizer without changing a token; None where that is not known.

    Args:
        backend: of the package `tokenizers`.
    """
    content = json.loads(backend.to_str())
    pre, normalizers = content["pre_tokenizer"] or {}, _flat(content["normalizer"])
    if content["model"].get("dropout") or not _keep_to_words(content["added_tokens"], backend.normalizer):
        return None
    strips = {side for token in content["added_tokens"] for side in ("lstrip", "rstrip") if token[side]}
    if pre.get("type") == "BertPreTokenizer" and normalizers <= {*_LOCAL, "BertNormalizer"}:
        return _BETWEEN_SPACES
    if not normalizers <= _LOCAL:
        return None
    emptied = _word_of_marks() if "StripAccents" in normalizers else None
    if pre.get("type") == "ByteLevel" and pre["use_regex"] and not pre["add_prefix_space"]:
        return replace(_BEFORE_WHITE_SPACE, emptied=emptied) if "rstrip" not in strips else None
    if pre.get("type") == "Metaspace" and pre["split"] and not strips:
        return replace(_BEFORE_SPACES, emptied=emptied)
    return None


@cache
def _word_of_marks() -> re.Pattern[str]:
    """Return what finds a word that begins with a mark: no other is one of marks only."""
    marks = "".join(char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) == "Mn")
    return re.compile(rf"(?:^|\s)[{re.escape(marks)}]")


def _flat(normalizer: dict[str, Any] | None) -> set[str]:
    """Return the kinds of normalizers in a sequence."""
    if normalizer is None:
        return set()
    if normalizer["type"] == "Sequence":
        return set().union(*map(_flat, normalizer["normalizers"]))
    return {normalizer["type"]}


def _keep_to_words(added: list[dict[str, Any]], normalizer: Any) -> bool:
    """Return whether tokens that are looked for in the text itself can only be found within a word."""
    for token in added:
        forms = [token["content"]]
        if normalizer is not None and token["normalized"]:
            forms.append(normalizer.normalize_str(token["content"]))
        if any("\u2581" in form or any(map(str.isspace, form)) for form in forms):
            return False
    return True


def _holds(pattern: re.Pattern[str], text: str) -> bool:
    return not text.isascii() and pattern.search(text) is not None


class _Numbers(dict[str | None, int]):
    """Numbers keys as they first occur."""

    def __missing__(self, key: str | None) -> int:
        number = self[key] = len(self)
        return number


class WordCache:
    """Tokens by piece, as arrays.

    Args:
        backend: the tokenizer, of the package `tokenizers`.
        division: cuts texts; see the function of that name.
        end: what follows each text, token ids.
        starts: whether to tell, too, with which tokens words begin.
    """

    def __init__(self, backend: Any, division: Division, end: list[int], starts: bool = False) -> None:
        self.backend, self.division, self.end, self.with_starts = backend, division, end, starts
        self._empty()

    def _empty(self) -> None:
        self.numbers = _Numbers({None: 0})  # the end of a text is a piece as well
        self.characters = 0
        self.ids = np.array(self.end, np.uint32)
        self.starts = np.ones(len(self.end), bool)
        self.ends = np.array([len(self.end)])

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, list[int | None]]:
        """Tokenize a batch.

        Args:
            texts: any.

        Returns:
            `ids` (tokens,) uint32, those of all texts one after the other, each followed by `end`; `lengths` (texts,)
            int64; `starts` (tokens,) bool or None; of each text the number of words between white space, or None
            where the pieces do not tell.
        """
        if len(self.numbers) > MOST_WORDS or self.characters > MOST_CHARACTERS:
            self._empty()
        known = len(self.numbers)
        pieces: list[str | None] = []
        places = np.empty(len(texts), np.int64)
        words: list[int | None] = []
        cut, counts, emptied = self.division.cut, self.division.counts, self.division.emptied
        unfit = self._unfit("".join(texts))
        for row, text in enumerate(texts):
            if (unfit and any(map(text.__contains__, unfit))) or (emptied and _holds(emptied, text)):
                pieces.append(text)
                words.append(None)
            else:
                cut_pieces = cut(text)
                pieces += cut_pieces
                words.append(len(cut_pieces) if counts else None)
            places[row] = len(pieces)
            pieces.append(None)
        numbers = np.fromiter(map(self.numbers.__getitem__, pieces), np.int64, len(pieces))
        if len(self.numbers) > known:
            self._learn(list(self.numbers)[known:])  # type: ignore[arg-type]  # only the first is None
        begins, stops = np.append(0, self.ends)[numbers], self.ends[numbers]
        lengths = stops - begins
        ends = np.cumsum(lengths)
        index = np.arange(int(lengths.sum())) + np.repeat(stops - ends, lengths)
        starts = self.starts[index] if self.with_starts else None
        return self.ids[index], np.diff(ends[places], prepend=0), starts, words

    def _unfit(self, texts: str) -> str:
        return "".join(character for character in self.division.unfit if character in texts)

    def _learn(self, pieces: list[str]) -> None:
        self.characters += sum(map(len, pieces))
        if self.with_starts:
            ids, starts = encode_words(self.backend, pieces)
            self.starts = np.concatenate([self.starts, *starts])
        else:
            ids = encode(self.backend, pieces)
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        flat = np.fromiter(chain.from_iterable(ids), np.uint32, int(lengths.sum()))
        self.ids = np.concatenate([self.ids, flat])
        self.ends = np.concatenate([self.ends, self.ends[-1] + np.cumsum(lengths)])
