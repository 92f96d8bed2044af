"""The parts of a model card that are written anew when more is known; what others wrote around them stays."""

from __future__ import annotations

import re

PLACE = "path/to/this/folder"
"""What a card's code calls the export until it lies elsewhere."""
ORDER = ("scores", "curves", "time", "configuration")
"""The parts that follow from a run and its test, in the order of a card."""


def section(name: str, body: str = "") -> str:
    """Return a part of a card, between two comments that say where it begins and ends.

    Args:
        name: one of `ORDER`.
        body: Markdown; no line of it may be such a comment.
    """
    return f"{_begin(name)}\n{body.strip()}\n{_end(name)}\n" if body.strip() else f"{_begin(name)}\n{_end(name)}\n"


def with_sections(card: str, bodies: dict[str, str]) -> str:
    """Return a card with parts replaced.

    A part whose comments were taken out, by somebody who writes it, stays out; a card that never had any, as version
    0.1 wrote them, gets the parts at its end.

    Args:
        card: Markdown.
        bodies: of parts, by name.
    """
    if not any(_pattern(name).search(card) for name in ORDER):
        parts = [section(name, bodies[name]) for name in ORDER if bodies.get(name, "").strip()]
        return "\n".join([f"{card.rstrip()}\n", *parts])
    for name, body in bodies.items():
        fresh = section(name, body)
        card = _pattern(name).sub(lambda _, fresh=fresh: fresh, card, count=1)  # type: ignore[misc]
    return card


def fenced(text: str, language: str = "") -> str:
    """Return a block of code whose end no line of the text can be taken for.

    Args:
        text: anything.
        language: that it is colored as.
    """
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def folded(title: str, body: str) -> str:
    """Return a part that opens when its title is clicked on.

    Args:
        title: plain words.
        body: Markdown.
    """
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(_begin(name))}$.*?^{re.escape(_end(name))}$\n?", re.MULTILINE | re.DOTALL)


def _begin(name: str) -> str:
    return f"<!-- pretune: {name} -->"


def _end(name: str) -> str:
    return f"<!-- pretune: end of {name} -->"
