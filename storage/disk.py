"""What a disk refuses, in words: that it is full, or cannot be written, and which file was meant."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from ..errors import InputError, first_line

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
SAID = (*(os.strerror(number) for number in FULL), "database or disk is full")
"""What libraries write that have errors of their own; the last is SQLite's."""


def disk_full(error: BaseException | None) -> str | None:
    """Return what an error says where a full disk, or a quota, is behind it; libraries wrap it in their own."""
    if (number := _number(error)) is None:
        return None
    if isinstance(error, OSError) and error.errno == number:
        return f"{error.strerror}: {_name(error)}" if _name(error) else str(error.strerror or error)
    return first_line(error) if error is not None else None


def disk_error(error: BaseException, place: Path, known_as: Path) -> OSError | None:
    """Return an error of the disk, whatever it was wrapped in, that names what the user knows; None for another.

    Args:
        error: that was raised where a folder was being written.
        place: that folder.
        known_as: what it was to be called.
    """
    number = _number(error)
    if number is None and isinstance(error, OSError) and error.errno in REFUSED and _is_below(_name(error), place):
        number = error.errno
    if number is None:
        return None
    names = [name for one in _chain(error) if isinstance(one, OSError) and one.errno == number and (name := _name(one))]
    elsewhere = [name for name in names if not _is_below(name, place)]
    return OSError(number, os.strerror(number), elsewhere[0] if elsewhere else str(known_as))


def refuse_unwritable(path: str | Path, option: str = "--output") -> None:
    """Find out whether a file or a folder can be made, by making one beside it that goes at once.

    What the system says of permissions is not enough: the administrator may do everything, and some folders take no
    file from anybody.

    Args:
        path: to be made, with the folders around it.
        option: how the user names another one.

    Raises:
        InputError: if it cannot.
    """
    target = Path(path)
    around = next(folder for folder in (*target.parents, Path()) if os.path.lexists(folder))
    try:
        made = tempfile.mkdtemp(prefix=f".{target.name[:80]}.", dir=around)
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror}: {around}): another {option} would work."
        ) from error
    shutil.rmtree(made, ignore_errors=True)


def _number(error: BaseException | None) -> int | None:
    """Return the number of a full disk, if that is behind an error."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in FULL:
            return one.errno
        for number in FULL:
            if os.strerror(number) in str(one):
                return number
        if any(words in str(one) for words in SAID):
            return errno.ENOSPC
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and those that it was raised from."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _name(error: OSError) -> str:
    """Return the file that an error names; of two, where to."""
    name = error.filename2 if error.filename2 is not None else error.filename
    return "" if name is None or isinstance(name, int) else os.fsdecode(name)


def _is_below(name: str, place: Path) -> bool:
    return bool(name) and Path(os.path.abspath(name)).is_relative_to(os.path.abspath(place))
