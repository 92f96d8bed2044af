"""Tag schemes for spans of words: which one it is, and everything as IOB2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from .errors import InputError

Scheme = Literal["iob1", "iob2", "iobes", "io"]
Span = tuple[int, int, str]
"""Where a span begins, where it ends, and its label."""
LAST = {"E": "E", "S": "S", "L": "E", "U": "S"}
"""BILOU calls the last word L and the only one U."""


def detect(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that a set of tagged sentences follows.

    IOB1 writes B- only between two spans of one kind, IOB2 at the beginning of every span, IOBES (or BILOU) also marks
    the last word and the only one, and plain names (io) mark neither.
    """
    bare = begins_with_i = begins_with_b = False
    for tags in sentences:
        before = "O"
        for tag in tags:
            prefix, _, kind = tag.partition("-")
            if tag != "O" and (not kind or prefix not in "BIESLU"):
                bare = True
            elif prefix in LAST:
                return "iobes"
            elif tag != "O" and before.partition("-")[2] != kind:
                begins_with_i |= prefix == "I"
                begins_with_b |= prefix == "B"
            before = tag
    if bare:
        return "io"
    return "iob1" if begins_with_i and not begins_with_b else "iob2"


def to_iob2(where: str, tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The same spans in IOB2.

    Args:
        where: the place, for messages.
        tags: of a sentence.
        scheme: that they follow.

    Raises:
        InputError: for a sequence that the scheme does not allow.
    """
    out: list[str] = []
    before, before_kind = "O", ""
    for number, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if scheme == "io":
            prefix, kind = ("O", "") if tag == "O" else ("I" if tag == before_kind else "B", tag)
        elif tag == "O":
            prefix, kind = "O", ""
        elif not kind or prefix not in ("BI" if scheme != "iobes" else "BIESLU"):
            raise InputError(f"{where}: the tag {tag!r} (word {number + 1}) is none of {scheme.upper()}.")
        prefix = LAST.get(prefix, prefix)
        goes_on = before in ("B", "I") and before_kind == kind
        if scheme == "iobes" and before in ("B", "I") and (prefix not in ("I", "E") or not goes_on):
            raise InputError(_illegal(where, tags, number, "IOBES closes a span with E- first"))
        if prefix in ("I", "E") and not goes_on:
            if scheme != "iob1":
                hint = "a span begins with B-; data.scheme: iob1 would read it as a beginning"
                raise InputError(_illegal(where, tags, number, hint))
            prefix = "B"
        out.append("O" if prefix == "O" else f"{'B' if prefix in ('B', 'S') else 'I'}-{kind}")
        before, before_kind = prefix, kind
    if scheme == "iobes" and before in ("B", "I"):
        raise InputError(_illegal(where, [*tags, "the end"], len(tags), "IOBES closes a span with E- first"))
    return out


def _illegal(where: str, tags: Sequence[str], number: int, why: str) -> str:
    before = tags[number - 1] if number else "the beginning"
    return f"{where}: an illegal tag sequence: {tags[number]!r} (word {number + 1}) follows {before!r}, where {why}."


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of IOB2 tags by word, strictly: an I- that continues nothing is none."""
    spans: list[Span] = []
    start: int | None = None
    kind = ""
    for number, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{kind}":
            spans.append((start, number, kind))
            start = None
        if tag.startswith("B-"):
            start, kind = number, tag[2:]
    return spans


def tags_of(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """IOB2 tags of words out of spans of characters that begin and end with words.

    Args:
        words: where each begins and ends.
        spans: sorted, not overlapping.
    """
    tags = ["O"] * len(words)
    for start, end, kind in spans:
        inside = [i for i, (first, last) in enumerate(words) if first >= start and last <= end]
        for position, i in enumerate(inside):
            tags[i] = f"{'I' if position else 'B'}-{kind}"
    return tags
