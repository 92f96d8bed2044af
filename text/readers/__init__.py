"""File formats, the Hub and the installed documentation, with errors that name file, line and column."""

from .conll import conll_line
from .files import expand, suffix
from .hub import SPLIT_NAMES, content_of, load_hub, pick_split, refuse_damaged
from .identity import fingerprint
from .installed_docs import fingerprint_installed_docs, read_installed_docs
from .json_text import mended
from .opening import open_text
from .tables import column_names, read_rows, require_columns
from .text import read_documents

__all__ = [
    "SPLIT_NAMES",
    "column_names",
    "conll_line",
    "content_of",
    "expand",
    "fingerprint",
    "fingerprint_installed_docs",
    "load_hub",
    "mended",
    "open_text",
    "pick_split",
    "read_documents",
    "read_installed_docs",
    "read_rows",
    "refuse_damaged",
    "require_columns",
    "suffix",
]
