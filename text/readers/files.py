"""Finding files by paths, globs and URLs, and what is wrong where there is none."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ...errors import InputError, MissingFileError
from .compression import COMPRESSIONS


def expand(patterns: str | Sequence[str]) -> list[str]:
    """Return the files that paths, globs and URLs name: sorted within a glob, otherwise in the given order, none twice.

    Raises:
        InputError: if a pattern names nothing.
    """
    paths: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        paths += _expand_url(pattern) if "://" in pattern else _expand_path(pattern)
    # By place, not by spelling: `a.txt` and `./a.txt` are one file, which would otherwise be read twice.
    once: dict[str, str] = {}
    for path in paths:
        once.setdefault(path if "://" in path else os.path.abspath(path), path)
    return list(once.values())


def _expand_path(pattern: str) -> list[str]:
    pattern = os.path.expanduser(pattern)
    if os.path.isdir(pattern):
        raise InputError(f"{pattern} is a folder; a glob such as {os.path.join(pattern, '*.txt')} would work.")
    if os.path.exists(pattern):
        _require_regular(pattern)
        return [pattern]
    if glob.has_magic(pattern):
        if matches := sorted(p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)):
            return matches
        root = os.path.abspath(glob_root(pattern))
        raise MissingFileError(
            f"No file matches {pattern} (looked in {root}){_nearest(pattern, os.path.dirname(pattern))}"
        )
    if pattern == "-":
        raise InputError("- is no file: data are read several times, so that they cannot come from standard input.")
    folder = os.path.dirname(os.path.abspath(pattern))
    if not os.path.isdir(folder):
        raise MissingFileError(f"There is no file {pattern}: the folder {folder} does not exist.")
    raise MissingFileError(f"There is no file {pattern} in {folder}{_nearest(pattern, folder)}")


def _require_regular(path: str) -> None:
    """Refuse pipes and devices: they cannot be read twice, and a pipe that nobody writes into never opens."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise InputError(
            f"{path} is a pipe or a device. Data are read several times, which needs a regular file: write its content "
            "into one first (compressed, if you like: .gz, .zst, .bz2, .xz)."
        )


def _nearest(pattern: str, folder: str) -> str:
    """Return the end of a message: the nearest name, if there is any."""
    names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    close = get_close_matches(os.path.basename(pattern), names, n=1)
    return f"; did you mean {close[0]}?" if close else "."


def glob_root(pattern: str) -> str:
    """Return the folder that a glob starts in."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return os.path.join(*parts) if parts else "."


def _expand_url(pattern: str) -> list[str]:
    import fsspec.implementations.local

    try:
        fs, path = fsspec.core.url_to_fs(pattern)
        if not glob.has_magic(path) and fs.isdir(path):
            raise InputError(f"{pattern} is a folder; a glob such as {pattern.rstrip('/')}/*.txt would work.")
        if glob.has_magic(path):
            matches = sorted(name for name in fs.glob(path) if fs.isfile(name))
        else:
            matches = [path] if fs.exists(path) else []
    except InputError:
        raise
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{pattern} cannot be read: {error}") from error
    if not matches:
        raise MissingFileError(f"No file matches {pattern}.")
    if isinstance(fs, fsspec.implementations.local.LocalFileSystem):
        for path in matches:
            _require_regular(path)
    return [fs.unstrip_protocol(path) for path in matches]


def suffix(path: str) -> str:
    """Return the format by its ending, in lower case and without compression: `.jsonl` for `a.jsonl.gz`."""
    name = path.lower()
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return os.path.splitext(name)[1]
