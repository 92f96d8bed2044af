"""Options as YAML nests them: by dotted name, and one configuration laid over another."""

from __future__ import annotations

from typing import Any


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested options by dotted name."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return one configuration laid over another."""
    trees = {k for k in below.keys() & above.keys() if isinstance(below[k], dict) and isinstance(above[k], dict)}
    return {**below, **above, **{key: merged(below[key], above[key]) for key in trees}}
