"""A sample of documents that does not depend on their order, and that samples of parts add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from .embedding import beginning


@dataclass
class Sample:
    """The documents with the smallest hashes, each once.

    Args:
        size: documents at most.
        texts: their beginnings, by hash.
    """

    size: int
    texts: dict[bytes, str] = field(default_factory=dict)

    def add(self, texts: Sequence[str]) -> None:
        """Take those of some texts that belong into it."""
        most = max(self.texts) if len(self.texts) >= self.size else None
        for text in map(beginning, texts):
            name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=b"sample").digest()
            if most is None or name < most:
                self.texts[name] = text
        self._cut()

    def __add__(self, other: Sample) -> Sample:
        """Return the sample of both."""
        joined = Sample(self.size, {**self.texts, **other.texts})
        joined._cut()
        return joined

    def in_order(self) -> list[str]:
        """Return the texts, by hash."""
        return [self.texts[name] for name in sorted(self.texts)]

    def _cut(self) -> None:
        for name in sorted(self.texts)[self.size :]:
            del self.texts[name]
