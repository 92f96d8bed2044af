"""Words and their tags, as lists in the cells of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...errors import InputError
from ...storage.cells import listed
from ...text.cjk import CJK_CHARACTER
from ...text.visible import shown_value


def words_in(where: str, row: dict[str, Any], column: str) -> list[str]:
    """Return the words in a column.

    Raises:
        InputError: if there is no list of words.
    """
    words = listed(row.get(column))
    if not isinstance(words, list) or not words or not all(map(_is_word, words)):
        raise InputError(f"{where}: column {column!r} holds {shown_value(words)}, where words should be.")
    return words


def tags_in(where: str, row: dict[str, Any], column: str, count: int, words_column: str) -> list[str]:
    """Return the tags in a column, as the data spell them.

    Args:
        where: the row, for messages.
        row: all its columns.
        column: that of the tags.
        count: how many words there are.
        words_column: that of the words.

    Raises:
        InputError: if there is no list of so many tags, or a tag is missing.
    """
    tags = listed(row.get(column))
    if not isinstance(tags, list) or len(tags) != count:
        held = len(tags) if isinstance(tags, list) else shown_value(tags)
        raise InputError(f"{where}: {count} words in {words_column!r}, but {held} tags.")
    if missing := [i for i, tag in enumerate(tags) if tag is None]:
        raise InputError(f"{where}: word {missing[0] + 1} has no tag.")
    return [str(tag) for tag in tags]


def tags_in_rows(rows: Iterable[tuple[dict[str, Any], str]], rename: Callable[[str], str]) -> Iterator[list[str]]:
    """Yield the tags of rows that have a list of them.

    Args:
        rows: each with its column of tags.
        rename: takes a tag as the data spell it to its name.
    """
    for row, column in rows:
        tags = listed(row.get(column))
        if isinstance(tags, list):
            yield [rename(str(tag)) for tag in tags if tag is not None]


def joined(words: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of words, with spaces where they are written, and where in it each begins and ends."""
    places: list[tuple[int, int]] = []
    text = ""
    for before, word in zip(["", *words], words, strict=False):
        together = CJK_CHARACTER.fullmatch(before[-1:]) and CJK_CHARACTER.fullmatch(word[:1])
        text += "" if together or not before else " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _is_word(token: Any) -> bool:
    """Return whether something can have a tag: many data sets hold spaces of other kinds, such as no-break ones."""
    return isinstance(token, str) and bool(token.strip(" \t\r\n"))
