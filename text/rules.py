"""Published rules of quality: datatrove's filters, as judges of one text.

They were made for English web pages. Words and sentences are told apart by regular expressions here, where datatrove
would ask spaCy: a hundred times faster, and in all languages, with about the same counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, get_args

from ..errors import InputError
from .cjk import ALL_CJK

RuleName = Literal["gopher_quality", "gopher_repetition", "c4_quality", "c4_paragraphs", "fineweb_quality"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
EDITING = ("c4_quality",)
"""Rules that take lines out of a text."""
_WORD = re.compile(rf"[{ALL_CJK}]|(?:(?![{ALL_CJK}])\w)+(?:['’](?:(?![{ALL_CJK}])\w)+)*|[^\w\s]")
_SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*\s+|[。！？]+[”’」』）]*\s*|\n+)")

Judge = Callable[[str], tuple[str, str | None]]
"""Takes a text to what is left of it, and to why it is to be dropped; None keeps it."""


def make_rule(name: str) -> Judge:
    """Return a rule by its name.

    Args:
        name: one of `RULES`.

    Raises:
        InputError: if there is no such rule, or datatrove is missing.
    """
    if name not in RULES:
        raise InputError(f"data.cleaning.rules: there is no rule {name!r}; there are: {', '.join(RULES)}.")
    try:
        from datatrove.data import Document
        from datatrove.pipeline import filters
        from datatrove.pipeline.filters.c4_filters import C4ParagraphFilter
    except ImportError as error:
        raise InputError(
            f'data.cleaning.rules ({name}) needs the package datatrove: pip install "pretune[prepare]".'
        ) from error
    words = plain_words()
    made: dict[str, Callable[[], Any]] = {
        "gopher_quality": lambda: filters.GopherQualityFilter(language=words),
        "gopher_repetition": lambda: filters.GopherRepetitionFilter(language=words),
        "c4_quality": lambda: filters.C4QualityFilter(language=words),
        "c4_paragraphs": C4ParagraphFilter,
        "fineweb_quality": lambda: filters.FineWebQualityFilter(language=words),
    }
    rule = made[name]()

    def judge(text: str) -> tuple[str, str | None]:
        document = Document(text=text, id="")
        answer = rule.filter(document)
        keeps, reason = answer if isinstance(answer, tuple) else (answer, "")
        if keeps:
            return document.text, None
        return text, f"{name}: {reason}".removesuffix(": ")

    return judge


def plain_words() -> Any:
    """Return what tells words and sentences apart for datatrove."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class PlainWords(WordTokenizer):
        """By regular expressions."""

        def word_tokenize(self, text: str) -> list[str]:
            return words_of(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return [text[begin:end].strip() for begin, end in sentences_of(text)]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return sentences_of(text)

    return PlainWords()


def words_of(text: str) -> list[str]:
    """Return words and marks; a Chinese or Japanese character is a word."""
    return _WORD.findall(text)


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Return where sentences begin and end that hold more than white space."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    edges = [0, *ends, len(text)]
    return [(begin, end) for begin, end in pairwise(edges) if text[begin:end].strip()]
