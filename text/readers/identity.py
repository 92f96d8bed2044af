"""Which content a file has: what a cache key must hold of it.

Size and time do not tell: `cp -p`, `rsync -t`, `tar` and image layers keep the time of another content. A file is known
by a hash of all of it, which is remembered as long as its size, times, inode and place stay; what a server says of a
version (ETag, Last-Modified, ...) stands for the content behind a URL, which is read where it says nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...storage.manifest import hash_stream, replace

VALIDATORS = (
    "ETag", "etag", "e_tag", "Last-Modified", "LastModified", "last_modified", "last_commit", "mtime", "modified",
    "updated", "created", "generation", "VersionId", "version_id", "Content-MD5", "content_md5", "md5Hash", "crc32c",
    "Digest", "CRC", "blob_id", "sha256",
)  # fmt: skip
"""What file systems of fsspec call that which changes with the content."""

SETTLED = 2_000_000_000
"""Nanoseconds: a file that was changed less long before it was read may change again without another time."""

Stamp = list[int]


@dataclass
class Known:
    """What a file was found to hold.

    Args:
        stamp: its size, times and inode.
        content: the hash.
        read: when reading began, in nanoseconds.
    """

    stamp: Stamp
    content: str
    read: int

    def holds(self, stamp: Stamp) -> bool:
        """Return whether a file with such a stamp still has that content."""
        return self.stamp == stamp and self.read > max(stamp[1:3]) + SETTLED


_known: dict[str, Known] = {}


def fingerprint(paths: Sequence[str], cache_dir: str | None = None) -> list[Any]:
    """Return name and content of each file, for a cache key.

    Args:
        paths: of files, or URLs.
        cache_dir: where hashes are remembered; None reads the files anew in each process.

    Raises:
        InputError: if one is gone.
    """
    local = [os.path.abspath(path) for path in paths if "://" not in path]
    memory = None if cache_dir is None or not local else Path(cache_dir, "hashes", f"{_name(local)}.json")
    if memory is not None:
        _known.update({path: known for path, known in _read(memory).items() if path not in _known})
    began = time.time_ns()

    def of(path: str) -> list[Any]:
        try:
            return _of_url(path) if "://" in path else _of_file(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error

    with ThreadPoolExecutor(min(8, max(1, len(paths)))) as threads:
        contents = list(threads.map(of, paths))
    if memory is not None and any(_known[path].read >= began for path in local):
        with suppress(OSError):  # it is read again, then
            _write(memory, {path: _known[path] for path in local})
    return contents


def _of_file(path: str) -> list[Any]:
    place = os.path.abspath(path)
    with open(path, "rb", buffering=0) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        if place not in _known or not _known[place].holds(stamp):
            began = time.time_ns()
            _known[place] = Known(stamp, hash_stream(file), began)
    return [place, stamp[0], _known[place].content]


def _stamp(stat: os.stat_result) -> Stamp:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _of_url(url: str) -> list[Any]:
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    if "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return [url, *_of_file(path)[1:]]
    fs.invalidate_cache()
    info = fs.info(path)
    version = {name: str(info[name]) for name in VALIDATORS if info.get(name)}
    if not version:
        with fs.open(path, "rb") as stream:
            return [url, hash_stream(stream)]
    return [url, info.get("size"), version]


def _name(paths: list[str]) -> str:
    import xxhash

    return xxhash.xxh3_128_hexdigest("\0".join(paths).encode("utf-8", "surrogateescape"))


def _read(memory: Path) -> dict[str, Known]:
    """Return what was remembered; its file has the time at which the first of its files was read."""
    try:
        known, read = json.loads(memory.read_text()), memory.stat().st_mtime_ns
        return {path: Known([int(n) for n in stamp], str(content), read) for path, (stamp, content) in known.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _write(memory: Path, known: dict[str, Known]) -> None:
    read = min(file.read for file in known.values())
    content = json.dumps({path: [file.stamp, file.content] for path, file in known.items()})
    replace(memory, content.encode(), (read, read))
