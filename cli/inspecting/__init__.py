"""What a module would learn from: looked at without weights, shown in a terminal, a notebook or a page."""

from .inspection import Inspection
from .look import look

__all__ = ["Inspection", "look"]
