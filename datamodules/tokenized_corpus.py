"""A corpus in the cache: its tokens, and those of the part that was held out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..storage import manifest
from ..storage.cache import TokenStore
from .batching.blocks import Blocks
from .batching.packing import Packs
from .example_form import ExampleForm


@dataclass(frozen=True)
class TokenizedCorpus:
    """What `write_token_stream` wrote.

    Args:
        folder: of the cache.
    """

    folder: Path

    def contents(self, part: str) -> str:
        """Return a hash of all tokens, of both parts."""
        return manifest.contents(self.folder)

    def counts(self, part: str) -> dict[str, int]:
        """Return how many documents, tokens, words, bytes and unknown tokens a part has."""
        counts: dict[str, int] = self._report[part]["counts"]
        return counts

    def skipped(self, part: str) -> dict[str, int]:
        """Return how many documents were left out, by reason."""
        skipped: dict[str, int] = self._report[part]["skipped"]
        return skipped

    def notes(self, part: str) -> list[str]:
        """Return what is said of a part beside its counts."""
        notes: list[str] = self._report[part].get("notes", [])
        return notes

    def dataset(self, part: str, form: ExampleForm) -> Blocks | Packs:
        """Return the examples of a part.

        Args:
            part: which.
            form: how tokens become examples.
        """
        return form.examples(TokenStore(self.folder, part))

    @cached_property
    def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report
