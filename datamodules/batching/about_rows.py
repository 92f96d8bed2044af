"""What is known of a row of tokens beside its tokens."""

from __future__ import annotations

import numpy as np

from .token_rows import RowsInMemory, TokenRows


def about_row(rows: TokenRows | RowsInMemory, number: int, longest: int, windows: bool = True) -> dict[str, str]:
    """Return where a row of tokens is from, which window of its text it is, and what happened as it was tokenized.

    Args:
        rows: that it is one of.
        number: of the row.
        longest: tokens that an input may have.
        windows: whether several rows of an example are windows of one text.
    """
    owner = int(rows.owners[number])
    first, last = (int(np.searchsorted(rows.owners, owner, side)) for side in ("left", "right"))
    facts = {"from": str(rows.examples[owner].get("where", ""))}
    if windows and last - first > 1:
        facts["window"] = f"{number - first + 1} of {last - first}"
    notes = rows.notes.of(np.array([owner])) if isinstance(rows, TokenRows) else {}
    for what in notes:
        if what == "truncated":
            facts["truncated"] = f"to {longest} tokens"
        elif not what.startswith("_") and "windows" not in what:
            facts.setdefault("note", what)
    return {name: value for name, value in facts.items() if value}
