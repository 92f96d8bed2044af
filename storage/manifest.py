"""What a cache entry holds: sizes and hashes, written when it is made, and checked before it is used.

At each start the sizes of all files are compared, the content of those up to `WHOLE` bytes, and `PAGES` pages spread
over each larger one: a file that is cut off, or full of zeros, is found in the time of a glance. Every byte is read
where the machine was started anew since it was last sure of an entry (a crash may have damaged any of them), and where
`$PRETUNE_CHECK_CACHE` is 1.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import xxhash

NAME = "manifest.json"
WHOLE = 1 << 25
PAGES, PAGE = 256, 4096
BLOCK = 1 << 20
MOST_MACHINES = 50

_seen: dict[Path, tuple[int, int]] = {}
"""The entries that this process has checked, by place, with the inode and time of their manifest."""


def write(folder: Path) -> None:
    """Hash what is in a folder, add the manifest, and wait until all of it is on the disk."""
    files = {str(path.relative_to(folder)): _described(path) for path in _files(folder)}
    (folder / NAME).write_text(json.dumps({"files": files}, indent=1))
    for path in (*_files(folder), folder / NAME):
        sync(path)
    for path in sorted({path.parent for path in _files(folder)} | {folder}):
        sync(path)


def damage(folder: Path, marks: Path) -> str | None:
    """Return what is wrong with an entry, or None.

    Args:
        folder: of the entry.
        marks: a file that remembers on which machines the entry was found whole, and since which start of each.
    """
    try:
        stat = (folder / NAME).stat()
        files: dict[str, Any] = json.loads((folder / NAME).read_text())["files"]
        for name, known in files.items():
            if (size := (folder / name).stat().st_size) != known["size"]:
                return f"{name} has {size:,} bytes instead of {known['size']:,}"
        if _seen.get(folder) == (stat.st_ino, stat.st_mtime_ns):
            return None
        fully = os.environ.get("PRETUNE_CHECK_CACHE") == "1" or _restarted(marks)
        for name, known in files.items():
            full = fully or known["size"] <= WHOLE
            if (hash_file if full else _sample)(folder / name) != known["hash" if full else "sample"]:
                return f"the content of {name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).relative_to(folder)} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{NAME} or what it lists cannot be read ({error})"
    _seen[folder] = (stat.st_ino, stat.st_mtime_ns)
    mark(marks)
    return None


def contents(folder: Path) -> str:
    """Return a hash of the numbers that an entry holds: the same on every machine that made it of the same data.

    Texts are left out: they say where they were read, which may be another folder elsewhere.
    """
    files = json.loads((folder / NAME).read_text())["files"]
    hashes = {name: known["hash"] for name, known in files.items() if _is_numbers(name)}
    return xxhash.xxh3_128_hexdigest(json.dumps(hashes, sort_keys=True).encode())


def mark(marks: Path) -> None:
    """Remember that an entry was found whole (or made) since this machine was started."""
    machine, start = platform.node(), _start()
    known = _known(marks)
    if start is None or known.get(machine) == start:
        return
    known.pop(machine, None)
    known = dict([*known.items()][-MOST_MACHINES + 1 :]) | {machine: start}
    with suppress(OSError):  # a cache that cannot be written is checked again
        replace(marks, json.dumps(known).encode())


def replace(path: Path, content: bytes, times: tuple[int, int] | None = None) -> None:
    """Write a small file at once: others see the one before, or this one.

    Args:
        path: of the file.
        content: all of it.
        times: of access and change, in nanoseconds; None is now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{token_hex(8)}.tmp")
    try:
        unfinished.write_bytes(content)
        if times is not None:
            os.utime(unfinished, ns=times)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's names, is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError:  # some file systems cannot do that for folders
        if not path.is_dir():
            raise
    finally:
        os.close(number)


def hash_stream(stream: IO[bytes]) -> str:
    """Return a hash of all that is left in a stream."""
    content = xxhash.xxh3_128()
    while block := stream.read(BLOCK):
        content.update(block)
    return content.hexdigest()


def _described(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"size": size, "hash": hash_file(path), **({"sample": _sample(path)} if size > WHOLE else {})}


def hash_file(path: Path) -> str:
    """Return a hash of all that a file holds."""
    with path.open("rb", buffering=0) as file:
        return hash_stream(file)


def _sample(path: Path) -> str:
    content = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        last = max(0, path.stat().st_size - PAGE)
        for number in range(PAGES):
            file.seek(last * number // (PAGES - 1))
            content.update(file.read(PAGE))
    return content.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / NAME)


def _is_numbers(name: str) -> bool:
    return name.endswith((".bin", ".npy")) and not name.startswith("examples.")


def _restarted(marks: Path) -> bool:
    """Return whether this machine has been started anew since the entry was last found whole on it."""
    before = _known(marks).get(platform.node())
    return before is not None and before != _start()


def _known(marks: Path) -> dict[str, str]:
    try:
        known = json.loads(marks.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _start() -> str | None:
    """Return a name for the time since the machine was started; None where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
