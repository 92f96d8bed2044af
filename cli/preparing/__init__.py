"""What the command `prepare` shows: the page of a prepared corpus, and its lines in the terminal."""

from .page import lines_of, page_of

__all__ = ["lines_of", "page_of"]
