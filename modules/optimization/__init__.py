"""How a module learns: optimizers, schedules, the gradient of a window."""

from typing import Any

from ...moved import former_attribute


def __getattr__(name: str) -> Any:
    """Find what stood here when this was one file, in version 0.1."""
    return former_attribute(__name__, name, "module")
