"""A few rows of the data, to begin with."""

from __future__ import annotations

from ...errors import InputError
from .page.view import Fields
from .tasks.task import Task

MOST = 5
LONGEST = 600
"""Characters of an example, so that the page stays one."""
SPLITS = {
    "test": "Examples from the test set",
    "validation": "Examples from validation",
    "train": "Examples from training",
}


def examples(task: Task, most: int = MOST) -> tuple[list[Fields], str]:
    """Return examples and what they are called; none where the data are not at hand any more.

    Args:
        task: whose data are read: the test set, or else what was validated or trained on.
        most: how many.
    """
    for split, named in SPLITS.items():
        chosen: list[Fields] = []
        try:
            if not task.data.source.has(split):
                continue
            for row in task.example_rows(split):
                try:
                    fields = task.fields(row)
                except (InputError, KeyError):  # a row that no task could use
                    continue
                if sum(len(str(value)) for value in fields.values()) <= LONGEST and fields not in chosen:
                    chosen.append(fields)
                if len(chosen) == most:
                    break
        except (ValueError, OSError):
            continue
        if chosen:
            return chosen, named
    return [], ""
