"""What was seen of a split: rows as they are learned, a batch, and facts about all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ...contracts import Role, ShownRow, ShownSpan, ShownText, Survey
from ...text.pieces import Pieces


@dataclass(frozen=True)
class Token:
    """A token as a person reads it.

    Args:
        text: with the space before it, if there is one.
        role: what it is to the loss.
        was: what is to be predicted where it stands, if that is another text.
        number: its id.
    """

    text: str
    role: Role
    was: str = ""
    number: int = 0


@dataclass(frozen=True)
class DecodedText:
    """A text of a row.

    Args:
        name: empty where there is one.
        tokens: without the padding.
        padding: how many places that takes.
        spans: places with labels.
    """

    name: str
    tokens: Sequence[Token]
    padding: int
    spans: Sequence[ShownSpan] = ()


@dataclass(frozen=True)
class DecodedRow:
    """A row of a batch.

    Args:
        texts: of which it consists.
        facts: what is known of it, such as where it is `from`, and its `label`.
        length: tokens.
        targets: tokens that are predicted.
    """

    texts: Sequence[DecodedText]
    facts: Mapping[str, str]
    length: int
    targets: int


@dataclass(frozen=True)
class BatchFacts:
    """The first batch, as it is on the CPU.

    Args:
        tensors: name, shape and dtype of each.
        size: bytes of all of them.
        tokens: true ones; None where nobody knows.
        places: tokens and padding.
    """

    tensors: Sequence[tuple[str, str, str]]
    size: int
    tokens: int | None = None
    places: int = 0


@dataclass(frozen=True)
class Inspection:
    """What a module would learn from; `print` it by rich, or let a notebook show it.

    Args:
        model: name of its class; empty without one.
        data: name of its class.
        split: that was looked at.
        rows: some, in the order in which they come.
        batch: facts about the first one.
        surveys: of each split, what is known of all of its rows.
        batches: how many there are in an epoch; None where nobody knows.
        remarks: what else is to be said.
    """

    model: str
    data: str
    split: str
    rows: Sequence[DecodedRow]
    batch: BatchFacts
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    batches: int | None = None
    remarks: Sequence[str] = ()

    @property
    def title(self) -> str:
        """What it is of."""
        return f"{self.split}: {f'{self.model} on ' if self.model else ''}{self.data}"

    @property
    def styles(self) -> set[str]:
        """Of the signs those that occur."""
        texts = [text for row in self.rows for text in row.texts]
        roles: set[str] = {token.role for text in texts for token in text.tokens}
        return roles | ({"label"} if any(text.spans for text in texts) else set())

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Yield what rich prints."""
        from .terminal import parts

        yield from parts(self, options.max_width)

    def to_html(self) -> str:
        """Return a whole page, which needs nothing from elsewhere."""
        from .page import page_of

        return page_of(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the page in a frame, so that neither style touches the other."""
        height = min(900, 300 + 120 * len(self.rows))
        return (
            f'<iframe srcdoc="{escape(self.to_html(), quote=True)}" title="{escape(self.title)}" '
            f'style="width:100%;height:{height}px;border:0"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Write the page.

        Args:
            path: of the file; its folder is made if missing.
        """
        from ..pages import write_page

        write_page(path, self.to_html())


def decoded(row: ShownRow, facts: Mapping[str, str], pieces: Pieces) -> DecodedRow:
    """Return a row as a person reads it.

    Args:
        row: from a module.
        facts: what is known of it, by module and data.
        pieces: takes ids to texts.
    """
    texts = [_text(text, pieces) for text in row.texts]
    return DecodedRow(texts, facts, row.length, row.targets)


def _text(text: ShownText, pieces: Pieces) -> DecodedText:
    kept = [place for place, role in enumerate(text.roles) if role != "padding"]
    readable = pieces([text.ids[place] for place in kept])
    tokens = [_token(text, place, said, pieces) for place, said in zip(kept, readable, strict=True)]
    at = {place: number for number, place in enumerate(kept)}  # padding may be on the left
    spans = [ShownSpan(at[span.first], at[span.last - 1] + 1, span.label) for span in text.spans]
    return DecodedText(text.name, tokens, len(text.roles) - len(kept), spans)


def _token(text: ShownText, place: int, said: str, pieces: Pieces) -> Token:
    was = "".join(pieces(text.was.get(place, ())))
    if was.startswith(" ") and not said.startswith(" "):  # a mask stands where a word begins
        said = f" {said}"
    return Token(said, text.roles[place], was.strip(), text.ids[place])
