"""What a run came to, as a page: read from its folder, so that it can be made again at any time."""

from .report import Report
from .run import Run

__all__ = ["Report", "Run"]
