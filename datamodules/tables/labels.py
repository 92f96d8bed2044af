"""Label names: how the data spell them, what they are called, and in which order they are numbered."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from ...contracts import module_facts
from ...errors import InputError, MisfitError
from ...storage.cells import is_whole

MOST_NAMES = 20
WORDS_FOR_NOTHING = ("none", "null", "nan", "na", "n/a")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class LabelNames:
    """Takes the labels in the data to the names that the model knows.

    Args:
        option: the user's `label_names`: new names by old ones, or a list for 0, 1, ...; None keeps what the data say.
    """

    def __init__(self, option: dict[str, str] | list[str] | None) -> None:
        self.option = option
        self._renamed = {str(old): new for old, new in option.items()} if isinstance(option, dict) else {}

    def rename(self, raw: str) -> str:
        """Return the name of a label in the data."""
        if isinstance(self.option, list):
            return self.option[int(raw)] if is_whole(raw) and 0 <= int(raw) < len(self.option) else raw
        return self._renamed.get(raw, raw)

    def known(self, raw: str, names: list[str]) -> str | None:
        """Return what the model calls a label in the data, by its name or its number; None where it does not know it.

        Args:
            raw: as the data spell it.
            names: those that the model knows.
        """
        name = self.rename(raw)
        if name not in names and is_whole(name) and 0 <= int(name) < len(names):
            return names[int(name)]
        return name if name in names else None

    def fixed(self, module: Any, fitting: bool) -> list[str] | None:
        """Return the names in their order where they do not follow from the data: the user's, else the module's."""
        if self.option is not None:
            return list(dict.fromkeys(self.option.values() if isinstance(self.option, dict) else self.option))
        known = module_facts(module).known_labels(fitting)
        return None if known is None else list(known)

    def table(self, labels: dict[str, str], names: list[str], split: str) -> np.ndarray:
        """Return (labels in the data,), the index of each into `names`.

        Args:
            labels: the labels in the data, with the place where each stands first.
            names: those that the model knows.
            split: for the message.

        Raises:
            InputError: for a label that is not among them.
        """
        table = np.zeros(len(labels), np.int64)
        places = {name: place for place, name in reversed([*enumerate(names)])}
        for position, (raw, where) in enumerate(labels.items()):
            name = self.rename(raw)
            if name not in places:
                known = some_names(names)
                raise MisfitError(
                    f"{where}: the label {name!r} is not among the known ones ({known})"
                    + ("; training never had it." if split == "validation" else "; data.label_names can map it.")
                )
            table[position] = places[name]
        return table


def tell_of_odd_labels(labels: dict[str, str], names: LabelNames) -> None:
    """Say which labels are words that elsewhere stand for a missing one, and which one number in several ways.

    Args:
        labels: in the data, with the place where each stands first.
        names: that may give several of them one name.
    """
    if words := [raw for raw in labels if raw.lower() in WORDS_FOR_NOTHING]:
        listed = ", ".join(f"{raw!r} ({labels[raw]})" for raw in words)
        rank_zero_info(f"Taken as labels, as they are written out, and not as missing ones: {listed}.")
    warn_of_numbers_in_several_ways(labels, names)


def warn_of_numbers_in_several_ways(labels: dict[str, str], names: LabelNames) -> None:
    """Warn of labels that are one number, written in several ways: they are several labels.

    Args:
        labels: in the data, with the place where each stands first.
        names: that may give them one name.
    """
    ways: dict[float, list[str]] = {}
    for raw in labels:
        if NUMBER.fullmatch(raw):
            ways.setdefault(float(raw), []).append(raw)
    several = [group for group in ways.values() if len({names.rename(raw) for raw in group}) > 1]
    if several:
        listed = some_names([" and ".join(f"{raw!r} ({labels[raw]})" for raw in group) for group in several])
        rank_zero_warn(
            f"Numbers written in several ways are several labels: {listed}. Write each in one way, or give those that "
            "are one label one name (data.label_names)."
        )


def refuse_one_number(numbers: np.ndarray, name: str, column: str) -> None:
    """Refuse numbers to learn that are all the same, as where a file to predict is tested on.

    Args:
        numbers: (rows,).
        name: of what they are read from.
        column: that they stand in.

    Raises:
        InputError: if there are two rows or more, and one number.
    """
    if len(numbers) > 1 and (numbers == numbers[0]).all():
        raise InputError(
            f"{name}: there is no label in column {column!r}: it is {numbers[0]:g} in every row. `predict` needs none."
        )


def iob2_names(own: list[str], tags: set[str]) -> list[str]:
    """Return names of tags in IOB2, of every type a beginning and a continuation.

    Args:
        own: the names that the data set gives, which come first.
        tags: that occur.
    """
    kept = [name for name in own if name == "O" or name[:2] in ("B-", "I-")]
    kinds = {name[2:] for name in [*tags, *kept] if name != "O"}
    whole = ["O", *(f"{prefix}-{kind}" for kind in sorted(kinds) for prefix in "BI")]
    return kept + [name for name in whole if name not in kept]


def some_names(names: list[str]) -> str:
    """Return names for a message, of many the first."""
    return ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")


def class_name(where: str, column: str, names: list[str], number: Any) -> str | None:
    """Return the name of a label that a data set of the Hub holds as a number; None of -1, its "no label".

    Args:
        where: the place, for messages.
        column: that it stands in.
        names: of all its labels.
        number: of this one.

    Raises:
        InputError: if the data set names no such label.
    """
    if not isinstance(number, int) or number < 0:
        return None
    if number >= len(names):
        raise InputError(f"{where}: column {column!r} holds {number}, but the data set names {len(names)} labels.")
    return names[number]
