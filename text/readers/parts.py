"""A part of a file: it is opened, and read, as a file of its own is."""

from __future__ import annotations

import io
from typing import Any


class FilePart(str):
    """The path of a file, of which a part is meant.

    Args:
        path: of the file.
        start: the first byte, or row group.
        stop: the byte, or row group, after the last.
        head: so many bytes of the file's beginning come before: a table's header.
    """

    start: int
    stop: int
    head: int

    def __new__(cls, path: str, start: int, stop: int, head: int = 0) -> FilePart:
        """Make it a text that is the path."""
        part = super().__new__(cls, path)
        part.start, part.stop, part.head = start, stop, head
        return part

    def __reduce__(self) -> tuple[Any, ...]:
        return FilePart, (str(self), self.start, self.stop, self.head)


class Section(io.RawIOBase):
    """A stream of a part of a file.

    Args:
        raw: of the file; it can be sought in.
        part: which.
    """

    def __init__(self, raw: Any, part: FilePart) -> None:
        self.raw = raw
        self.left = [(0, part.head), (part.start, part.stop)] if part.head else [(part.start, part.stop)]

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes that are; 0 at the end."""
        while self.left:
            start, stop = self.left[0]
            if start >= stop:
                self.left.pop(0)
                continue
            self.raw.seek(start)
            chunk = self.raw.read(min(len(buffer), stop - start))
            if not chunk:
                return 0
            buffer[: len(chunk)] = chunk
            self.left[0] = (start + len(chunk), stop)
            return len(chunk)
        return 0
