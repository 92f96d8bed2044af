"""Names that come from others, such as labels, in Markdown: shown as they are, never read as markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

JOINERS = "\u200c\u200d"
"""Characters without a width that words and emoji are written with."""
LONGEST = 80
"""Characters of one name."""
MOST = 20
"""Names in a list."""


def code(text: object, longest: int = LONGEST) -> str:
    """A code span, also inside a table: no HTML, link or line break of the text lives on in it.

    Args:
        text: shortened where it is too long; what cannot be seen (control characters, marks of direction) is written
            as an escape.
        longest: characters.
    """
    shown = "".join(_visible(character) for character in str(text)[: longest + 1])
    shown = shown if len(str(text)) <= longest else shown[: longest - 1] + "…"
    fence = "`" * (1 + max((len(run) for run in _runs(shown)), default=0))
    # A table ends a cell at a bar even inside code (GFM 4.10); a backslash before it is not shown there.
    shown = shown.replace("|", "\\|")
    space = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def listed(names: Sequence[object], most: int = MOST) -> str:
    """Code spans with commas between; of many, the first and how many more there are."""
    rest = len(names) - most
    return ", ".join(code(name) for name in names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def public(name: str) -> str:
    """A name without the place on this machine that it may hold: the end of an absolute path, relative ones as is."""
    path = Path(name)
    if not path.is_absolute() and not name.startswith("~"):
        return name
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and character not in JOINERS:
        escape: str = character.encode("unicode_escape", "surrogatepass").decode("ascii")
        return escape
    return character


def _runs(text: str) -> list[str]:
    """The runs of backticks in a text."""
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]
