"""What tokenizing finds out about examples, kept by example: what is reported of a split is true of its rows."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_warn

KNOWN, UNKNOWN = "_known", "_unknown"
"""Tokens of text, and those among them that stand for what the tokenizer does not know."""
TOO_MANY_UNKNOWN = 0.1
ENOUGH_TOKENS = 100
"""For a share to mean something."""


@dataclass
class Findings:
    """What tokenizing finds out on the way.

    Args:
        labels: the label names as the data spell them, with the place where each stands first.
        first: the number of the first of the examples that are in hand.
    """

    labels: dict[str, str] = field(default_factory=dict)
    first: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)
    _notes: dict[str, tuple[array[int], array[int]]] = field(default_factory=dict)

    def number(self, label: str, where: str) -> int:
        """Return the number of a label, by first appearance."""
        if label not in self._numbers:
            self._numbers[label] = len(self._numbers)
            self.labels[label] = where
        return self._numbers[label]

    def note(self, what: str, example: int, times: int = 1) -> None:
        """Take down what happened with an example.

        Args:
            what: as the report calls it: `truncated`, `windows`, ...; names that begin with `_` are not for the report.
            example: its number among those in hand.
            times: how often; 0 notes nothing.
        """
        if times:
            examples, counts = self._notes.setdefault(what, (array("q"), array("q")))
            examples.append(self.first + example)
            counts.append(int(times))

    def note_unknown(self, rows: list[list[Any]], tokenizer: Any) -> None:
        """Take down how many tokens the examples in hand have, and how many of them are unknown."""
        flat = [row["input_ids"] for of_example in rows for row in of_example]
        sizes = [sum(len(row["input_ids"]) for row in of_example) for of_example in rows]
        ids = np.fromiter(chain.from_iterable(flat), np.int64, sum(sizes))
        owner = np.repeat(np.arange(len(rows)), sizes)
        unknown = ids == unknown_id(tokenizer)  # nothing is equal to None
        known = unknown | ~np.isin(ids, np.array(tokenizer.all_special_ids, np.int64))
        for what, chosen in ((KNOWN, known), (UNKNOWN, unknown)):
            counts = np.bincount(owner[chosen], minlength=len(rows))
            for example in np.flatnonzero(counts).tolist():
                self.note(what, example, int(counts[example]))

    @property
    def counts(self) -> Counter[str]:
        """What happened how often in all."""
        return Counter({what: sum(counts) for what, (_, counts) in self._notes.items()})

    def save(self, folder: Path) -> list[str]:
        """Write the notes; return the names of what they are about."""
        for number, note in enumerate(self._notes.values()):
            np.save(folder / f"note.{number}.npy", np.array(note, np.int64))
        return list(self._notes)


class Totals(Findings):
    """The same of rows that are reported as a whole: its size does not grow with their number."""

    def note(self, what: str, example: int, times: int = 1) -> None:
        """Count what happened, under the first example."""
        if times:
            _, counts = self._notes.setdefault(what, (array("q", [0]), array("q", [0])))
            counts[0] += int(times)


class Notes:
    """The notes that `Findings` saved.

    Args:
        folder: where they lie.
        names: what they are about.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder, self.names = folder, names

    def of(self, examples: np.ndarray) -> dict[str, int]:
        """Return what happened how often with some examples; what did not is left out."""
        wanted = np.zeros(int(examples.max(initial=-1)) + 1, bool)
        wanted[examples] = True
        counts_of_examples = {}
        for number, name in enumerate(self.names):
            owners, counts = np.load(self.folder / f"note.{number}.npy", mmap_mode="r")
            inside = owners < len(wanted)
            if total := int(counts[inside][wanted[owners[inside]]].sum()):
                counts_of_examples[name] = total
        return counts_of_examples

    def totals(self) -> dict[str, int]:
        """Return what happened how often in all."""
        return {
            name: int(np.load(self.folder / f"note.{number}.npy", mmap_mode="r")[1].sum())
            for number, name in enumerate(self.names)
        }


def unknown_id(tokenizer: Any) -> int | None:
    """Return the token for what the tokenizer does not know, unless it has another meaning too (GPT-2's)."""
    special = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id)
    unknown: int | None = tokenizer.unk_token_id
    return None if unknown in special else unknown


def told(counts: dict[str, int], longest: int, examples: int) -> list[str]:
    """Return what a report says of counts.

    Args:
        counts: what happened how often.
        longest: tokens of an input at most.
        examples: how many there are in all.
    """
    parts = []
    for what, count in counts.items():
        if what == "truncated":
            parts.append(f"truncated to {longest} tokens: {count:,} of {examples:,}")
        elif not what.startswith("_"):
            parts.append(f"{what}: {count:,}")
    if (share := unknown_share(counts)) >= 0.0005:
        parts.append(f"{share:.1%} of the tokens unknown")
    return parts


def unknown_share(counts: dict[str, int]) -> float:
    """Return the share of tokens that the tokenizer does not know."""
    return counts.get(UNKNOWN, 0) / max(1, counts.get(KNOWN, 0))


def warn_of_unknown(split: str, counts: dict[str, int], tokenizer: Any) -> None:
    """Warn where a tokenizer does not know the language of a text."""
    share, few = unknown_share(counts), counts.get(KNOWN, 0) < ENOUGH_TOKENS
    if share > (0.5 if few else TOO_MANY_UNKNOWN):
        rank_zero_warn(
            f"{share:.0%} of the tokens of {split} are unknown ({tokenizer.unk_token}): the tokenizer was made for "
            "other texts, and the model cannot tell such words apart. A backbone of this language would work, or "
            "data.tokenizer: {train: wordpiece} with a network from scratch."
        )
