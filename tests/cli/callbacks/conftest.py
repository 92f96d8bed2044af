"""A module whose losses and scores are written down beforehand."""

from scripted_module import breaks, fit, scripted  # type: ignore[import-not-found]

__all__ = ["breaks", "fit", "scripted"]
