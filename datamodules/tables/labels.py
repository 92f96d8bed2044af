"""Label names: how the data spell them, what they are called, and in which order they are numbered."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...contracts import module_facts
from ...errors import MisfitError
from ...storage.cells import is_whole


class LabelNames:
    """Takes the labels in the data to the names that the model knows.

    Args:
        given: the user's `label_names`: new names by old ones, or a list for 0, 1, ...; None keeps what the data say.
    """

    def __init__(self, given: dict[str, str] | list[str] | None) -> None:
        self.given = given
        self._renamed = {str(old): new for old, new in given.items()} if isinstance(given, dict) else {}

    def rename(self, raw: str) -> str:
        """The name of a label in the data."""
        if isinstance(self.given, list):
            return self.given[int(raw)] if is_whole(raw) and 0 <= int(raw) < len(self.given) else raw
        return self._renamed.get(raw, raw)

    def fixed(self, module: Any, fitting: bool) -> list[str] | None:
        """The names in their order where they do not follow from the data: the user's, else the module's."""
        if self.given is not None:
            return list(dict.fromkeys(self.given.values() if isinstance(self.given, dict) else self.given))
        known = module_facts(module).known_labels(fitting)
        return None if known is None else list(known)

    def table(self, found: dict[str, str], names: list[str], split: str) -> np.ndarray:
        """(labels in the data,), the index of each into `names`.

        Args:
            found: the labels in the data, with the place where each stands first.
            names: those that the model knows.
            split: for the message.

        Raises:
            InputError: for a label that is not among them.
        """
        table = np.zeros(len(found), np.int64)
        places = {name: place for place, name in reversed([*enumerate(names)])}
        for position, (raw, where) in enumerate(found.items()):
            name = self.rename(raw)
            if name not in places:
                known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
                raise MisfitError(
                    f"{where}: the label {name!r} is not among the known ones ({known})"
                    + ("; training never had it." if split == "validation" else "; data.label_names can map it.")
                )
            table[position] = places[name]
        return table
