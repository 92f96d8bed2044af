"""What a run folder knows that a model card tells."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...checkpoints import versions
from ...errors import InputError
from ...storage.plain_files import read_json, read_yaml
from ..reporting.run import Run
from ..reporting.sections.scores import best_validation

PICTURE = "curves.png"


@dataclass(frozen=True)
class RunFacts:
    """What a run folder knows.

    Args:
        name: of the run.
        summary: `summary.json`.
        config: `config.yaml`.
        picture: of its curves, if there is one.
        seeds: of `fit --seeds`, the summaries of all runs by seed; empty for a run by itself.
        folder: of the run; null where none is read.
    """

    name: str
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    picture: Path | None = None
    seeds: dict[str, dict[str, Any]] = field(default_factory=dict)
    folder: Path | None = None

    @classmethod
    def of(cls, run: Path) -> RunFacts:
        """Read a run folder; what is damaged counts as not known."""
        named = run.resolve().parent
        seeded = named.name.startswith("seed_")
        seeds = _seeds(named.parent) if seeded else {}
        picture = run / PICTURE
        return cls(
            named.parent.name if seeded else named.name,
            _mapping(read_json, run / "summary.json"),
            _mapping(read_yaml, run / "config.yaml"),
            picture if picture.is_file() else None,
            seeds if len(seeds) > 1 else {},
            run,
        )

    @property
    def fit(self) -> dict[str, Any]:
        """What the training came to."""
        return _part(self.summary, "fit")

    @property
    def test(self) -> dict[str, Any]:
        """What a test of the exported weights came to; empty where none was, or other weights were tested."""
        return tested(self.summary)

    def validated(self) -> dict[str, float]:
        """Return the scores on validation of the weights that are kept."""
        kept = numbers(_part(self.fit, "kept"), "val/")
        try:
            logged = best_validation(Run(self.folder)) if self.folder is not None else {}
        except (InputError, OSError):
            logged = {}
        return {**{name: value for name, value in logged.items() if math.isfinite(value)}, **kept}

    def tested_rows(self) -> list[Any]:
        """Return the rows of the test, where they were kept and are whole."""
        try:
            return list(Run(self.folder).tested()) if self.folder is not None else []
        except (InputError, OSError):
            return []

    @property
    def tested_on(self) -> str | None:
        """What was tested on."""
        files = _part(self.test, "scored").get("files")
        return str(files) if files is not None else None

    @property
    def dataset(self) -> tuple[str | None, str | None]:
        """The data set of the Hub and its subset, where the data are one."""
        options = _part(_part(self.config, "data"), "init_args")
        name, subset = options.get("dataset"), options.get("subset")
        if not isinstance(name, str) or name == "installed_docs" or Path(name).exists():
            return None, None
        return name, subset if isinstance(subset, str) else None


def tested(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a test's entry of a summary where it is of the weights that are exported, else nothing.

    The export holds the best weights; where there was no validation, the last.
    """
    test, fit = _part(summary, "test"), _part(summary, "fit")
    scored = _part(test, "scored")
    kept = _part(fit, "kept").get("step", fit.get("steps"))
    if scored.get("checkpoint") == "best.ckpt" or (kept is not None and scored.get("step") == kept):
        return test
    return {}


def numbers(entry: dict[str, Any], prefix: str) -> dict[str, float]:
    """Return the finite numbers of an entry whose names begin so, without that.

    Args:
        entry: of a summary.
        prefix: such as `test/`.
    """
    return {
        name.removeprefix(prefix): float(value)
        for name, value in entry.items()
        if name.startswith(prefix) and isinstance(value, int | float) and math.isfinite(value)
    }


def _seeds(root: Path) -> dict[str, dict[str, Any]]:
    homes = sorted(root.glob("seed_*[0-9]"), key=lambda home: (len(home.name), home.name))
    found = {}
    for home in homes:
        if "_old_" not in home.name and (runs := versions(home)):
            found[home.name.removeprefix("seed_")] = _mapping(read_json, runs[-1] / "summary.json")
    return found


def _mapping(read: Any, path: Path) -> dict[str, Any]:
    try:
        content = read(path) if path.is_file() else {}
    except (InputError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def _part(entry: dict[str, Any], name: str) -> dict[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, dict) else {}
