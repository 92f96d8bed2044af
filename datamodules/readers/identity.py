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
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..manifest import hash_stream, replace

VALIDATORS = (
    "ETag", "etag", "e_tag", "Last-Modified", "LastModified", "last_modified", "last_commit", "mtime", "modified",
    "updated", "created", "generation", "VersionId", "version_id", "Content-MD5", "content_md5", "md5Hash", "crc32c",
    "Digest", "CRC", "blob_id", "sha256",
)  # fmt: skip
"""What file systems of fsspec call that which changes with the content."""

SETTLED = 2_000_000_000
"""Nanoseconds: a file that was changed less long ago may change again without another time, and is not remembered."""

Stamp = tuple[int, int, int, int]
_known: dict[str, tuple[Stamp, str]] = {}


def fingerprint(paths: Sequence[str], cache_dir: str | None = None) -> list[Any]:
    """Name and content of each file, for a cache key.

    Args:
        paths: of files, or URLs.
        cache_dir: where hashes are remembered; None reads the files anew in each process.

    Raises:
        InputError: if one is gone.
    """
    local = [os.path.abspath(path) for path in paths if "://" not in path]
    memory = None if cache_dir is None or not local else Path(cache_dir, "hashes", f"{_name(local)}.json")
    remembered = _read(memory) if memory is not None else {}

    def of(path: str) -> list[Any]:
        try:
            return _of_url(path) if "://" in path else _of_file(path, remembered)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error

    with ThreadPoolExecutor(min(8, max(1, len(paths)))) as threads:
        found = list(threads.map(of, paths))
    settled = {path: [*_known[path][0], _known[path][1]] for path in local if path in _known}
    if memory is not None and settled != remembered:
        with suppress(OSError):  # it is read again, then
            replace(memory, json.dumps(settled).encode())
    return found


def _of_file(path: str, remembered: dict[str, Any]) -> list[Any]:
    place = os.path.abspath(path)
    with open(path, "rb", buffering=0) as file:
        stamp = _stamp(os.fstat(file.fileno()))
        before = _known.get(place)
        if before is None and place in remembered:
            *old, content = remembered[place]
            before = (tuple(old), content)
        if before is None or before[0] != stamp:
            now = time.time_ns()
            before = (stamp, hash_stream(file))
            if max(stamp[1:3]) > now - SETTLED or _stamp(os.fstat(file.fileno())) != stamp:
                _known.pop(place, None)
                return [place, stamp[0], before[1]]
        _known[place] = before
    return [place, stamp[0], before[1]]


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _of_url(url: str) -> list[Any]:
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    if "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return [url, *_of_file(path, {})[1:]]
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


def _read(memory: Path) -> dict[str, Any]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    good = isinstance(known, dict) and all(isinstance(row, list) and len(row) == 5 for row in known.values())
    return known if good else {}
