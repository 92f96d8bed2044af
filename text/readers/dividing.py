"""Where a large file can be divided without dividing a document.

A part is read as a file of its own is: it begins where a line (a paragraph, a record, a row group) does, and a table's
header comes first in each.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any, Literal

from ...errors import InputError
from .arrow import group_sizes
from .compression import is_compressed
from .conll import ENDINGS as CONLL
from .encodings import known_encoding
from .files import suffix
from .opening import lines, open_text
from .parts import FilePart

CHUNK = 1 << 20
SAFE = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp125\d|koi8-[ru]|gb18030|gbk|gb2312|big5|euc_jp|euc_kr|cp932|cp949|shift_jis"
)
"""Encodings in which the byte of a line feed is a line feed wherever it stands."""
EXACT = re.compile(r"utf-8|ascii|iso8859-1")
"""Encodings whose texts, written again, give the bytes that were read."""


def size_of(path: str) -> int:
    """Return how many bytes a file has.

    Raises:
        InputError: if it is gone.
    """
    try:
        if "://" not in path:
            return os.path.getsize(path)
        import fsspec

        fs, inside = fsspec.core.url_to_fs(path)
        return int(fs.size(inside) or 0)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def divide(
    path: str, size: int, documents: Literal["line", "paragraph", "file"] = "line", encoding: str = "utf-8"
) -> list[tuple[str, int]]:
    """Return the parts of a file, and how many bytes each has; one that cannot be divided is its only part.

    The same file gives the same parts. Compressed files, `.json`, and text of which the whole file is a document stay
    whole.

    Args:
        path: of the file.
        size: bytes in a part, about.
        documents: what a document is in a text file.
        encoding: of text formats.

    Raises:
        InputError: if it cannot be read.
    """
    total = size_of(path)
    kind = suffix(path)
    if is_compressed(path) or total < 2 * size:
        return [(path, total)]
    if kind in (".parquet", ".arrow", ".feather"):
        return _groups(path, kind, size, total)
    known = known_encoding(encoding)
    if kind in (".jsonl", ".ndjson", ".tsv"):
        found = _borders(path, kind, total, size) if SAFE.fullmatch(known) else None
    elif kind == ".csv":
        found = _csv_borders(path, encoding, size) if EXACT.fullmatch(known) else None
    elif kind in (".json", *CONLL) or documents == "file":
        found = None
    else:
        found = _borders(path, documents, total, size) if SAFE.fullmatch(known) else None
    if found is None or len(found.places) < 1:
        return [(path, total)]
    edges = [0, *found.places, total]
    return [(FilePart(path, start, stop, found.head if start else 0), stop - start) for start, stop in pairwise(edges)]


@dataclass
class _Found:
    places: list[int]
    head: int = 0


def _borders(path: str, kind: str, total: int, size: int) -> _Found:
    """Return the first line's (or paragraph's) beginning after each `size` bytes."""
    places: list[int] = []
    with _opened(path) as file:
        head = _header_end(file) if kind == ".tsv" else 0
        for number in range(1, total // size):
            at = max(total * number // (total // size), head, places[-1] if places else 0)
            place = _paragraph_end(file, at) if kind == "paragraph" else _line_end(file, at)
            if place is not None and place < total and (not places or place > places[-1]) and place > head:
                places.append(place)
    return _Found(places, head)


def _line_end(file: IO[bytes], at: int) -> int | None:
    """Return the first place from `at` on that stands behind a line feed."""
    file.seek(max(0, at - 1))
    place = file.tell()
    while chunk := file.readline(CHUNK):
        place += len(chunk)
        if chunk.endswith(b"\n"):
            return place
    return None


def _paragraph_end(file: IO[bytes], at: int) -> int | None:
    """Return the first place from `at` on that stands behind an empty line."""
    place = _line_end(file, at)
    if place is None:
        return None
    inside = False
    while chunk := file.readline(CHUNK):
        place += len(chunk)
        if chunk.endswith(b"\n") and not inside and not chunk.strip():
            return place
        inside = not chunk.endswith(b"\n")
    return None


def _header_end(file: IO[bytes]) -> int:
    """Return where a header of one line ends, below blank lines."""
    file.seek(0)
    end = 0
    while chunk := file.readline(CHUNK):
        end += len(chunk)
        if chunk.removeprefix(b"\xef\xbb\xbf").strip():
            break
    return end


def _csv_borders(path: str, encoding: str, size: int) -> _Found | None:
    """Return where records end, by reading all of them: whether a line break ends one depends on all quotes before."""
    offset = 3 if _has_mark(path) else 0
    places: list[int] = []
    head = 0

    def counted(text: Any) -> Iterator[str]:
        nonlocal offset
        for line in lines(text, path):
            offset += len(line.encode(encoding))
            yield line

    try:
        with open_text(path, encoding, newline="") as text:
            for fields in csv.reader(counted(text), strict=True):
                if not head:
                    head = offset if "".join(fields).strip() else 0
                elif offset - (places[-1] if places else 0) >= size:
                    places.append(offset)
    except csv.Error:  # which is told where the rows are read
        return None
    if places and places[-1] >= offset:
        places.pop()
    return _Found(places, head)


def _has_mark(path: str) -> bool:
    with _opened(path) as file:
        return bool(file.read(3) == b"\xef\xbb\xbf")


def _groups(path: str, kind: str, size: int, total: int) -> list[tuple[str, int]]:
    """Return parts of row groups (of batches, in arrow's own format), by what their metadata say."""
    sizes = group_sizes(path, kind)
    if not sizes:
        return [(path, total)]
    whole = max(1, sum(sizes))
    parts: list[tuple[str, int]] = []
    start, held = 0, 0
    for number, group in enumerate(sizes):
        if number > start and held + group > size:
            parts.append((FilePart(path, start, number), total * held // whole))
            start, held = number, 0
        held += group
    return [*parts, (FilePart(path, start, len(sizes)), total * held // whole)] if parts else [(path, total)]


def _opened(path: str) -> Any:
    if "://" not in path:
        return open(path, "rb")
    import fsspec

    return fsspec.open(path, "rb").open()


def placed(error: InputError, part: FilePart) -> InputError:
    """Return an error with the line, and the byte, where it stands in the whole file.

    Args:
        error: of a part, whose lines it counts.
        part: which.
    """
    if not part.start or suffix(part) in (".parquet", ".arrow", ".feather"):
        return error
    lines = 0
    with _opened(part) as file:
        for start, stop, sign in ((0, part.start, 1), (0, part.head, -1)):
            file.seek(start)
            left = stop - start
            while left and (chunk := file.read(min(CHUNK, left))):
                lines += sign * chunk.count(b"\n")
                left -= len(chunk)
    told = re.sub(rf"({re.escape(part)}:)(\d+)", lambda found: f"{found[1]}{int(found[2]) + lines}", str(error))
    told = re.sub(r"(: byte )(\d+)", lambda found: f"{found[1]}{int(found[2]) + part.start - part.head}", told)
    return type(error)(told)
