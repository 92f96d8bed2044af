"""What a preparation gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...storage.prepared import Manifest


@dataclass(frozen=True)
class Prepared:
    """What came of it.

    Args:
        manifest: of the corpus.
        seconds: of each stage; empty where it was there already.
        notes: what else is to be said of it, in sentences.
    """

    manifest: Manifest
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Page = Callable[[Prepared], str]
