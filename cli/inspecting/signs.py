"""How tokens are told apart without color: the signs around them, for terminals, pipes and pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .inspection import DecodedText, Token

PREDICTED = ("«", "»")
IGNORED = ("‹", "›")
INSTEAD = "←"
"""Between what is read and what is to be predicted there."""
LEGEND = (
    ("learned", "«word»", "predicted as it stands"),
    ("masked", "«[MASK]←word»", "hidden behind a mask, and predicted"),
    ("replaced", "«other←word»", "another token stands there; the word is predicted"),
    ("ignored", "‹word›", "no target, where others are"),
    ("special", "[SEP]", "a special token"),
    ("label", "«word»/NAME", "a label of words"),
)
"""Style, sign and meaning."""


@dataclass(frozen=True)
class Piece:
    """What is printed in one style.

    Args:
        text: with its signs.
        style: a role of a token, `label` or `edge`.
        number: the id of the token; None of what is none.
    """

    text: str
    style: str
    number: int | None = None


def signed(text: DecodedText, most: int) -> Iterator[Piece]:
    """Yield a text in pieces, with signs around what is predicted, what is ignored and what has a label.

    Args:
        text: of a row.
        most: tokens; of those that follow it is said how many they are.
    """
    tokens = text.tokens[:most]
    begins = {span.first: span for span in text.spans}
    place = 0
    while place < len(tokens):
        if (span := begins.get(place)) is not None:
            last = min(span.last, len(tokens))
            yield from _around(tokens[place:last], PREDICTED, within=True)
            yield Piece(f"/{span.label}", "label")
            place = last
            continue
        last = place + 1
        while last < len(tokens) and last not in begins and _together(tokens[place], tokens[last]):
            last += 1
        signs = PREDICTED if tokens[place].role in ("learned", "masked", "replaced") else ("", "")
        yield from _around(tokens[place:last], IGNORED if tokens[place].role == "ignored" else signs)
        place = last
    if rest := len(text.tokens) - len(tokens):
        yield Piece(f" ... and {rest:,} more", "edge")
    if text.padding:
        yield Piece(f" + {text.padding:,} of padding", "padding")


def _together(first: Token, other: Token) -> bool:
    """Return whether two tokens stand between the same signs."""
    return other.role == first.role and other.role in ("read", "learned", "ignored", "special")


def _around(tokens: Sequence[Token], signs: tuple[str, str], within: bool = False) -> Iterator[Piece]:
    for number, token in enumerate(tokens):
        bare = token.text.lstrip(" ")
        space = token.text[: len(token.text) - len(bare)]
        if space:
            yield Piece(space, "space")
        elif number and _divided(tokens[number - 1].text, bare):
            yield Piece("|", "edge")
        if number == 0 and signs[0]:
            yield Piece(signs[0], "sign")
        said = bare.replace("\n", "⏎\n")
        if token.role in ("masked", "replaced") and token.was:
            said = f"{said}{INSTEAD}{token.was}"
        yield Piece(said, token.role, token.number)
    if signs[1]:
        yield Piece(signs[1], "sign")


def _divided(before: str, after: str) -> bool:
    """Return whether a border between two tokens is to be marked: within a word, not between single characters."""
    return (len(before.strip()) > 1 or len(after) > 1) and before[-1:].isalnum() and after[:1].isalnum()
