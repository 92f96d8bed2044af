"""Hand-made sentences for the tests."""

from __future__ import annotations

WORDS = [
    "the",
    "a",
    "one",
    "small",
    "large",
    "old",
    "new",
    "good",
    "bad",
    "dull",
    "bright",
    "film",
    "book",
    "song",
    "story",
    "plot",
    "actor",
    "scene",
    "ends",
    "begins",
    "is",
    "was",
]


def sentence(number: int, length: int = 9) -> str:
    """Some sentence, always the same for a number."""
    return " ".join(WORDS[(number * 7 + i * i + i * number) % len(WORDS)] for i in range(length)) + "."


def capitalized(number: int, length: int = 9) -> str:
    """The same sentence, as a sentence begins."""
    text = sentence(number, length)
    return text[0].upper() + text[1:]
