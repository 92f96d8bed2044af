"""The space of a search: options by dotted name, with choices or ranges."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...storage.plain_files import read_yaml

FORM = "a list of choices, or {low, high} with log: true or step: N"
RATE = "model.learning_rate"
FACTOR = 4
"""How far from a proposed rate the search goes, unless the space says so itself."""
FEWEST = 2
"""The factor between the lowest and the highest rate, below which there is nothing to search."""


class Space:
    """What to vary, and how.

    Args:
        path: a YAML file.

    Raises:
        InputError: if an entry is not of one of the forms.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not os.path.isfile(self.path):
            raise InputError(f"There is no search space {path}.")
        self.entries = read_yaml(self.path)
        if not isinstance(self.entries, dict) or not self.entries:
            raise InputError(f"{path} must map options such as {RATE} to {FORM}.")
        for name, entry in self.entries.items():
            if problem := _problem(str(name), entry):
                raise InputError(f"{path}: {name}: {problem}.")

    @property
    def needs_range_test(self) -> bool:
        """Whether a range is around what the range test proposes."""
        return any(isinstance(entry, dict) and "around" in entry for entry in self.entries.values())

    def bound(self, proposed: float | None, tested: bool) -> str:
        """Bound the rates to search by what a range test proposes, as far as the space asks for such rates.

        Args:
            proposed: the rate, or null where it proposes none.
            tested: whether there was a test.

        Returns:
            A sentence on what came of it.

        Raises:
            InputError: if the space goes around a proposal, and there is none.
        """
        entry = self.entries.get(RATE)
        if entry is None:
            return ""
        if isinstance(entry, dict) and "around" in entry:
            if proposed is None:
                raise InputError(
                    f"{self.path} searches {RATE} around what the range test proposes, and it proposes none, as the "
                    "loss never fell: {low: 1.0e-5, high: 1.0e-3, log: true} is a range of its own."
                )
            factor = entry.get("factor", FACTOR)
            return f"{RATE} is searched from {proposed / factor:.2g} to {proposed * factor:.2g}, around the proposal."
        if not tested:
            return ""
        if isinstance(entry, list):
            return f"{RATE} is one of {', '.join(map(str, entry))}, as {self.path.name} lists them; that bounds it."
        stays = f"{RATE} is searched from {entry['low']:g} to {entry['high']:g}, as {self.path.name} says"
        if proposed is None:
            return f"{stays}."
        low, high = max(entry["low"], proposed / FACTOR), min(entry["high"], proposed * FACTOR)
        if (low, high) == (entry["low"], entry["high"]):
            return f"{stays}, all of which is within a factor of {FACTOR} of the proposal."
        if high < FEWEST * low:
            side = "above" if proposed > entry["high"] else "below"
            return (
                f"{stays}. The proposal ({proposed:.2g}) is passed over: it lies {side} that range. A --space FILE "
                f"with {RATE}: {{around: range_test}} would search around the proposal."
            )
        self.entries = {**self.entries, RATE: {**entry, "low": low, "high": high}}
        return (
            f"{RATE} is searched from {low:.2g} to {high:.2g}: what {self.path.name} says, within a factor of {FACTOR} "
            "of the proposal."
        )

    def examples(self) -> dict[str, Any]:
        """Return one value for each option, such as it can have."""
        return {name: _example(entry) for name, entry in self.entries.items()}

    def suggest(self, trial: Any, proposed: float | None) -> dict[str, Any]:
        """Return a value for each option.

        Args:
            trial: of Optuna.
            proposed: the rate that the range test proposes, if there was one.
        """
        return {name: _suggest(trial, name, entry, proposed) for name, entry in self.entries.items()}


def _problem(name: str, entry: Any) -> str | None:
    if "." not in name:
        return f"an option has the form it has on the command line, such as {RATE}"
    if isinstance(entry, list):
        return None if entry and all(v is None or isinstance(v, str | int | float) for v in entry) else f"give {FORM}"
    if not isinstance(entry, dict):
        return f"give {FORM}"
    if "around" in entry:
        fine = name == RATE and entry["around"] == "range_test" and set(entry) <= {"around", "factor"}
        if not fine or not (_number(entry.get("factor", FACTOR)) and entry.get("factor", FACTOR) > 1):
            return f"only {RATE} can be {{around: range_test, factor: N}}, with N above 1"
        return None
    if unknown := set(entry) - {"low", "high", "log", "step"}:
        return f"there is no {', '.join(sorted(unknown))}; give {FORM}"
    low: Any = entry.get("low")
    high: Any = entry.get("high")
    if not (_number(low) and _number(high)):
        # YAML 1.1 takes 1e-5 for a word: it wants 1.0e-5.
        return f"low ({low!r}) and high ({high!r}) must be numbers, such as 1.0e-5"
    if low >= high:
        return f"low ({low}) must be below high ({high})"
    if entry.get("log") and (low <= 0 or "step" in entry):
        return "log: true needs a low above 0, and no step"
    return None


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _example(entry: Any) -> Any:
    if isinstance(entry, list):
        return entry[0]
    return entry.get("low", 1e-4)


def _suggest(trial: Any, name: str, entry: Any, proposed: float | None) -> Any:
    if isinstance(entry, list):
        return trial.suggest_categorical(name, entry)
    if "around" in entry:
        assert proposed is not None
        factor = entry.get("factor", FACTOR)
        return trial.suggest_float(name, proposed / factor, proposed * factor, log=True)
    low, high, log, step = entry["low"], entry["high"], bool(entry.get("log")), entry.get("step")
    if isinstance(low, int) and isinstance(high, int) and not isinstance(step, float):
        return trial.suggest_int(name, low, high, log=log, step=step or 1)
    return trial.suggest_float(name, low, high, log=log, step=step)
