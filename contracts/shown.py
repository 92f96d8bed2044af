"""What a step would learn from, row by row, as it is shown to a person: plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from .batch import IGNORED

Role = Literal["read", "learned", "masked", "replaced", "ignored", "special", "padding"]
"""What a place is to a step: read, with nothing to predict; predicted as it stands there (`learned`), though a mask
stands there (`masked`), or though another token does (`replaced`); no target where others of its kind are (`ignored`);
a special token that is no target; or padding."""
PREDICTED: frozenset[Role] = frozenset({"learned", "masked", "replaced"})
"""Roles of the places that the loss counts."""


@dataclass(frozen=True)
class ShownSpan:
    """Places that have a label together.

    Args:
        first: the first place.
        last: the one after the last.
        label: theirs.
    """

    first: int
    last: int
    label: str


@dataclass(frozen=True)
class ShownText:
    """Tokens that a network reads, or is to write.

    Args:
        ids: of the tokens, as they are read.
        roles: one for each.
        name: tells it from the other texts of a row; empty where there is one.
        was: at a place, the tokens that are to be predicted where others are read.
        spans: places with labels.
        read_only: whether nothing is predicted at its places, but in another text of the row, such as a target.
    """

    ids: Sequence[int]
    roles: Sequence[Role]
    name: str = ""
    was: Mapping[int, Sequence[int]] = field(default_factory=dict)
    spans: Sequence[ShownSpan] = ()
    read_only: bool = False


@dataclass(frozen=True)
class ShownRow:
    """One row of a batch.

    Args:
        texts: what is read, and what is to be written.
        facts: what else is known, such as its `label`.
    """

    texts: Sequence[ShownText]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def targets(self) -> int:
        """How many tokens are predicted."""
        return sum(role in PREDICTED for text in self.texts if not text.read_only for role in text.roles)

    @property
    def length(self) -> int:
        """How many tokens there are, padding left out."""
        return sum(role != "padding" for text in self.texts for role in text.roles)


def plain_rows(batch: Any, tokenizer: Any = None) -> list[ShownRow]:
    """Return the rows of a batch as they are read, whatever is learned from them; none where it holds no tokens.

    Args:
        batch: tensors by name, such as `input_ids` with `attention_mask` or `cu_seq_lens`, or `segment_a`.
        tokenizer: knows the special tokens.
    """
    if not isinstance(batch, Mapping):
        return []
    special = frozenset(getattr(tokenizer, "all_special_ids", ()))
    if "input_ids" not in batch:
        keys = [key for key in batch if key.startswith("segment_")]
        columns = [[_plain(row, [i >= 0 for i in row], special, key) for row in batch[key].tolist()] for key in keys]
        return [ShownRow(texts) for texts in zip(*columns, strict=True)]
    ids = batch["input_ids"]
    if "cu_seq_lens" in batch:
        whole = ids.tolist()[0]
        parts = [whole[begin:end] for begin, end in pairwise(batch["cu_seq_lens"].tolist())]
        return [ShownRow([_plain(row, [True] * len(row), special)], pack_place(i, len(parts)))
                for i, row in enumerate(parts)]  # fmt: skip
    mask = batch.get("attention_mask")
    rows, real = ids.tolist(), (ids == ids if mask is None else mask != 0).tolist()
    if ids.ndim == 3:
        return [
            ShownRow([_plain(*text, special, f"choice {i}") for i, text in enumerate(zip(row, places, strict=True))])
            for row, places in zip(rows, real, strict=True)
        ]
    return [ShownRow([_plain(row, places, special)]) for row, places in zip(rows, real, strict=True)]


def pack_place(number: int, of: int) -> dict[str, str]:
    """Return what is said of a document in a pack.

    Args:
        number: of the document, from 0.
        of: how many there are.
    """
    return {"packed": f"document {number + 1} of {of}"}


def _plain(ids: list[int], real: list[bool], special: frozenset[int], name: str = "") -> ShownText:
    roles: list[Role] = [
        "padding" if not yes else "special" if token in special else "read"
        for token, yes in zip(ids, real, strict=True)
    ]
    return ShownText([0 if token in (-1, IGNORED) else token for token in ids], roles, name)
