"""The classes that occur: in which order they are numbered, and that there are two of them."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from ...text.splitting import sort_labels


def in_order(names: set[str], ordered: list[str] | None, least: int, source: str) -> list[str]:
    """Return label names as they are numbered: as the data set orders them, where it names all, else sorted.

    Args:
        names: that occur.
        ordered: by the data set; None where it says nothing.
        least: how many there must be.
        source: of the data, for messages.

    Raises:
        InputError: if there are fewer.
    """
    labels = ordered if ordered is not None and names <= set(ordered) else sort_labels(names)
    if len(labels) < least:
        only = f": every row has the label {labels[0]!r}" if labels else ""
        raise InputError(f"{source} has one class only{only}. At least two are needed.")
    return labels


def refuse_one_class(counts: np.ndarray, labels: list[str], source: str) -> None:
    """Raise an `InputError` where rows of one class only occur.

    Args:
        counts: (labels,), how often each occurs.
        labels: their names.
        source: of the data, for messages.
    """
    if (counts > 0).sum() < 2:
        raise InputError(f"{source} has one class only ({labels[int(counts.argmax())]!r}); at least two are needed.")
