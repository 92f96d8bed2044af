"""Where a network comes from: weights, families, adapters, depth."""

from typing import Any

from ...moved import former_attribute


def __getattr__(name: str) -> Any:
    """Find what stood here when this was one file, in version 0.1."""
    return former_attribute(__name__, name, "backbone architecture layers vocabulary weight_report")
