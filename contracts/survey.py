"""What is known of all rows of a split: plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shared:
    """Texts of a split that stand elsewhere, too.

    Args:
        split: where else; the split itself for duplicates within it.
        count: how many rows of the split are meant: of duplicates all but the first.
        first: where the first of them stands; empty where nobody knows.
    """

    split: str
    count: int
    first: str = ""


@dataclass(frozen=True)
class Survey:
    """What is known of all rows of a split.

    Args:
        rows: how many there are.
        unit: what they are: `rows`, `documents`, `pairs`.
        lengths: tokens of each of the rows that were looked at.
        limit: the most tokens that a row may have; None where nothing bounds it.
        notes: what happened as they were tokenized, such as `truncated to 128 tokens: 3 of 80`.
        labels: rows, or words, of each label.
        shared: duplicates, and rows that other splits hold too.
    """

    rows: int
    unit: str
    lengths: Sequence[int] = ()
    limit: int | None = None
    notes: Sequence[str] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    shared: Sequence[Shared] = ()

    @property
    def is_sample(self) -> bool:
        """Whether lengths, duplicates and the like are of a part of the rows only."""
        return len(self.lengths) < self.rows
