"""What runs of one command have in common: seeds of a configuration, trials of a search, tasks of a suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Group:
    """Runs of one command.

    Args:
        name: that trackers show them below.
        runs: the folder of all runs, some levels above theirs.
    """

    name: str
    runs: Path


_group: ContextVar[Group | None] = ContextVar("group", default=None)


@contextmanager
def one_group(name: str, runs: Path) -> Iterator[None]:
    """Have trackers show the runs made within as one group.

    Args:
        name: of the group.
        runs: the folder of all runs.
    """
    token = _group.set(Group(name, runs))
    try:
        yield
    finally:
        _group.reset(token)


def current_group() -> Group | None:
    """Return the group that a run made now belongs to."""
    return _group.get()
