"""Labeled spans of characters, and the tags of words that say the same."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_warn

from ..errors import InputError
from .places import Place, core
from .tags import Span
from .visible import shown_value

RARE, OFTEN = 2, 50
"""How often a slip occurs at most, and how many times as often what was meant does at least."""


def spans_in(where: str, value: Any, text: str, rename: Callable[[str], str]) -> list[Span]:
    """Return labeled spans of characters, in order.

    Args:
        where: the place, for messages.
        value: `[{start: 0, end: 5, label: PER}, ...]` or `[[0, 5, PER], ...]`.
        text: that they lie in.
        rename: takes a label to its name.

    Raises:
        InputError: if they are no spans of the text, or overlap.
    """
    if not isinstance(value, list):
        raise InputError(f"{where}: the spans are {shown_value(value)}, where a list should be.")
    spans: list[Span] = []
    for entry in value:
        try:
            start, end, label = (entry["start"], entry["end"], entry["label"]) if isinstance(entry, dict) else entry[:3]
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"{where}: the span {shown_value(entry)} has no start, end and label.") from error
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
            raise InputError(f"{where}: the span {start} to {end} does not lie in the text ({len(text)} characters).")
        said = entry.get("text") if isinstance(entry, dict) else None
        if said is not None and said != text[start:end]:
            raise InputError(f"{where}: the span {start} to {end} says {said!r}, the text has {text[start:end]!r}.")
        spans.append((start, end, rename(str(label))))
    spans.sort()
    for (_, end, _), (start, _, _) in pairwise(spans):
        if start < end:
            raise InputError(f"{where}: two spans overlap at character {start}; every word has one tag.")
    return spans


def tags_of(where: str, text: str, words: list[Place], spans: list[Span]) -> tuple[list[str], int]:
    """Return IOB2 tags of words out of spans of characters, and how many of those begin or end inside a word.

    Args:
        where: the place, for messages.
        text: any.
        words: of the text.
        spans: in order, not overlapping.

    Raises:
        InputError: if a span holds no word, or two share one.
    """
    tags, widened = ["O"] * len(words), 0
    starts, ends = np.array(words, np.int64).T
    for start, end, kind in spans:
        bare = core(text, start, end)
        first, last = int(np.searchsorted(ends, bare[0], "right")), int(np.searchsorted(starts, bare[1])) - 1
        if first > last:
            raise InputError(f"{where}: the span {start} to {end} ({shown_value(text[start:end])}) holds no word.")
        if tags[first] != "O":
            shared = text[slice(*words[first])]
            raise InputError(
                f"{where}: two spans share the word {shared!r} (character {words[first][0]}), and a word has one tag; "
                "a space between them, or one span for both, would work."
            )
        widened += (words[first][0], words[last][1]) != bare
        tags[first : last + 1] = [f"B-{kind}", *[f"I-{kind}"] * (last - first)]
    return tags, widened


def warn_of_slips(tags: dict[str, str], counts: np.ndarray) -> None:
    """Warn of a kind of span that hardly occurs and is spelled nearly as a frequent one.

    Args:
        tags: in IOB2, with the place where each stands first.
        counts: (tags,), how often each occurs.
    """
    begun = {tag[2:]: int(n) for tag, n in zip(tags, counts, strict=True) if tag.startswith("B-")}
    for kind in [kind for kind, n in begun.items() if 0 < n <= RARE]:
        usual = [name for name, n in begun.items() if n >= OFTEN * begun[kind]]
        if close := get_close_matches(kind, usual, n=1, cutoff=0.6):
            rank_zero_warn(
                f"{tags[f'B-{kind}']}: the kind {kind!r} occurs {begun[kind]} time{'s' * (begun[kind] > 1)} in all, "
                f"{close[0]!r} {begun[close[0]]:,} times: if that is a slip, correct the file."
            )
