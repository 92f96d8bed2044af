"""The most confident errors, and the least certain right ones, in their texts."""

from __future__ import annotations

import numpy as np

from ..section import Section, fill
from ..tested import Tested
from ..texts import verdict

MOST = 15


def mistakes(tested: Tested) -> Section | None:
    """Return rows that were wrong although the model was sure, and right although it was not."""
    if tested.kind == "number":
        order = np.argsort(tested.right, kind="stable")[:MOST]
        lists = [("The largest errors", order)]
    elif tested.confidence is None:
        wrong = np.flatnonzero(tested.right == 0)[:MOST]
        lists = [("Errors", wrong), ("Right ones", np.flatnonzero(tested.right == 1)[:MOST])]
    else:
        wrong, right = np.flatnonzero(tested.right < 1), np.flatnonzero(tested.right == 1)
        sure = wrong[np.argsort(-tested.confidence[wrong], kind="stable")][:MOST]
        unsure = right[np.argsort(tested.confidence[right], kind="stable")][:MOST]
        lists = [("The most confident errors", sure), ("The least certain right ones", unsure)]
    shown = [(title, [verdict(tested, int(n)) for n in numbers]) for title, numbers in lists if len(numbers)]
    return Section("Rows to look at", fill("rows.html", lists=shown, kind=tested.kind)) if shown else None
