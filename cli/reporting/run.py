"""A run as its folder tells it."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...checkpoints import versions
from ...errors import InputError
from ...storage.plain_files import parse_json, read_json, read_yaml
from ..learning_curves import VALIDATION, Curves, curves
from ..run_files import TESTED

if TYPE_CHECKING:
    from .report import Report

LINEAGE = "pretune_lineage"
"""Of an export's configuration: the runs behind the weights."""
Row = dict[str, Any]


class Run:
    """A run folder, read when something of it is asked for.

    Args:
        folder: `runs/NAME/version_N`, or `runs/NAME`: its newest version.

    Raises:
        InputError: if it is none.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not os.path.isdir(self.folder):
            raise InputError(f"There is no run folder {folder}.")
        if not (self.folder / "summary.json").is_file() and (known := versions(self.folder)):
            self.folder = known[-1]
        if not any((self.folder / name).is_file() for name in ("summary.json", "metrics.csv")):
            raise InputError(
                f"{folder} is no run folder: it holds neither summary.json nor metrics.csv. One that `fit` or `test` "
                "wrote would work, such as runs/NAME/version_0."
            )

    @property
    def name(self) -> str:
        """What tells it from others: the last two parts of its path."""
        return "/".join(self.folder.resolve().parts[-2:])

    # ------------------------------------------------------------------ files

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` says; empty where there is none."""
        return self._mapping(self.folder / "summary.json", read_json)

    @cached_property
    def config(self) -> dict[str, Any]:
        """What `config.yaml` says; empty where there is none."""
        return self._mapping(self.folder / "config.yaml", read_yaml)

    @cached_property
    def metrics(self) -> list[dict[str, float]]:
        """The rows of `metrics.csv`: `step`, counted from 1, and what was logged there; 0 is before training."""
        path = self.folder / "metrics.csv"
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [_numbers(row) for row in csv.DictReader(file)]
        before = self.entry("before")
        steps = []
        for row in rows:
            if "step" not in row:
                continue
            names = row.keys() - {"step", "epoch"}
            untrained = row["step"] == 0 and before and names and all(row[n] == before.get(n) for n in names)
            steps.append({**row, "step": 0 if untrained else row["step"] + 1})
            before = {} if untrained else before
        return steps

    def tested(self) -> Iterator[Row]:
        """Yield the rows of the last test, where they are kept.

        Raises:
            InputError: if the file is damaged; with the line.
        """
        path = self.folder / TESTED
        if not path.is_file():
            return
        try:
            with path.open(encoding="utf-8", newline="\n") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        row = parse_json(line, f"{path}:{number}")
                        if not isinstance(row, dict) or "prediction" not in row:
                            raise InputError(f"{path}:{number} has no prediction: it was changed since. Test again.")
                        yield row
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is damaged: {error}. Test again.") from error

    @cached_property
    def lineage(self) -> list[dict[str, Any]]:
        """The runs behind the weights, oldest first, and this one; empty where nothing is exported."""
        path = self.folder / "export" / "config.json"
        entries = self._mapping(path, read_json).get(LINEAGE)
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    # ------------------------------------------------------------------ what follows from them

    @property
    def monitor(self) -> str | None:
        """The metric that the best weights were chosen by."""
        name = self.entry("fit").get("monitor")
        return name if isinstance(name, str) else None

    @cached_property
    def curves(self) -> Curves:
        """Losses, their gap and the monitored metric."""
        rows = [row for row in self.metrics if not any(name.startswith("test/") for name in row)]
        before = {name: value for name, value in self.entry("before").items() if isinstance(value, int | float)}
        if before and VALIDATION in before:
            rows = [{"step": 0, **before}, *rows]
        return curves(rows, self.monitor)

    def entry(self, key: str) -> dict[str, Any]:
        """Return an entry of the summary; an empty one where it is missing."""
        entry = self.summary.get(key)
        return entry if isinstance(entry, dict) else {}

    def option(self, *keys: str) -> Any:
        """Return an option of the configuration by its path, such as `("model", "class_path")`; None: unset."""
        value: Any = self.config
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def report(self) -> Report:
        """Return the report, which a notebook shows; `save` writes it."""
        from .report import Report  # here: a report is made of runs

        return Report([self])

    def _mapping(self, path: Path, read: Any) -> dict[str, Any]:
        content = read(path) if path.is_file() else {}
        if not isinstance(content, dict):
            raise InputError(f"{path} is damaged: it holds {json.dumps(content)[:40]}, where names should be.")
        return content


def _numbers(row: dict[str, str]) -> dict[str, float]:
    numbers = {}
    for name, text in row.items():
        try:
            value = float(text)
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            numbers[name] = value
    return numbers
