"""How to make it again: configuration, versions, machine, the parents of the weights."""

from __future__ import annotations

from typing import Any

import yaml

from ..run import Run
from ..section import Section, fill


def setting(run: Run) -> Section | None:
    """Return all that made the run what it is; None where nothing is known."""
    facts = run.entry("setting")
    versions = facts.get("versions")
    pairs = [(name, value) for name, value in facts.items() if name != "versions"]
    parents = [
        [str(n), *(_shown(e.get(k)) for k in ("class", "data", "steps", "from"))] for n, e in enumerate(run.lineage, 1)
    ]
    text = yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True, width=100) if run.config else ""
    if not (pairs or parents or text):
        return None
    values = {"pairs": pairs, "versions": list(versions.items()) if isinstance(versions, dict) else []}
    return Section(
        "How to make it again", fill("setting.html", **values, parents=parents, config=text, folder=run.folder)
    )


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value) if value is not None else "scratch, or not known"
