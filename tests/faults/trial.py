"""One injected fault: what it is drawn from, and what is said of how it went."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from forked import Command
from material import Baseline, Material, history_of, run_of, weights_of

LEFT = ("*.tmp", "*.unfinished", "*.old", ".writable")


@dataclass
class Outcome:
    """How it went.

    Args:
        verdict: `right`; `lost`, where something that was there cannot be used any more; `silent`, where a result is
            another one and nothing was said; `rough`, where neither is the case, but a command hangs, ends in a
            traceback or with the wrong code, or leaves something behind; `impossible`, where this machine cannot do it.
        what: was done, and what came of it.
    """

    verdict: str
    what: str


@dataclass
class Trial:
    """A fault of one kind, drawn by its seed and its number.

    Args:
        kind: of faults.
        number: among those of its kind.
        seed: of all.
        material: the trainings that it may disturb.
        root: for folders.
    """

    kind: str
    number: int
    seed: int
    material: Material
    root: Path

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/{self.kind}/{self.number}")
        self.folder = self.root / f"{self.kind}-{self.number}"
        self.what: list[str] = []

    def note(self, what: str) -> None:
        """Adds to the description of what was done."""
        self.what.append(what)

    def outcome(self, verdict: str, what: str = "") -> Outcome:
        return Outcome(verdict, ", ".join([*self.what, what] if what else self.what))

    def judge(self, baseline: Baseline, command: Command) -> Outcome:
        """Whether a training that ended is as if nothing had disturbed it."""
        said = command.said
        if command.code != 0:
            return self.outcome("lost", f"code {command.code}: {last_line(said)}")
        if (run := run_of(self.folder)) is None:
            return self.outcome("lost", "code 0, and no export")
        if weights_of(run) != baseline.weights:
            return self.outcome("silent", "other weights")
        if history_of(run) != baseline.history:
            return self.outcome("silent", "another history")
        if crude := crudeness(said):
            return self.outcome("rough", crude)
        if left := [str(path.relative_to(run)) for pattern in LEFT for path in run.rglob(pattern)]:
            return self.outcome("rough", f"left behind: {', '.join(left)}")
        return self.outcome("right")


def crudeness(said: str) -> str:
    """What a command said that nobody should have to read."""
    if "Traceback (most recent call last)" in said:
        return f"a traceback: {last_line(said)}"
    return "an exception that was ignored" if "Exception ignored" in said else ""


def refused(command: Command) -> bool:
    """Whether a command ended with a message for its user."""
    return command.code not in (0, None, -1) and re.search(r"^error: ", command.said, re.M) is not None


def last_line(said: str) -> str:
    return (said.strip().splitlines() or [""])[-1][:200]
