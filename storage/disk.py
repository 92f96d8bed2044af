"""What a disk refuses, in words: that it is full, or cannot be written, and which file was meant."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError, first_line

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
SAID = {**{os.strerror(number): number for number in FULL}, "database or disk is full": errno.ENOSPC}
"""What libraries write that have errors of their own; the last is SQLite's."""


def disk_full(error: BaseException | None) -> str | None:
    """Return what an error says where a full disk, or a quota, is behind it; None for another.

    Libraries wrap it in errors of their own, which may say anything; one of ours says more than the system's.
    """
    if _number(error) is None:
        return None
    for one in _chain(error):
        if isinstance(one, InputError):
            break
        if _number_of(one) is not None:
            if isinstance(one, OSError) and one.strerror:
                return f"{one.strerror}: {_name(one)}" if _name(one) else one.strerror
            break
    return first_line(one)


def full_file(error: BaseException | None) -> str | None:
    """Return the file that found no room, where something says which."""
    named = (_name(one) for one in _chain(error) if isinstance(one, OSError) and one.errno in FULL)
    return next(filter(None, named), None)


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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the disk name a file as it will be called: those of `write` name none.

    Args:
        path: of the file.

    Raises:
        OSError: that names it.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


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
    return next((number for one in _chain(error) if (number := _number_of(one)) is not None), None)


def _number_of(error: BaseException) -> int | None:
    """Return the number of a full disk, if an error itself says so."""
    if isinstance(error, OSError) and error.errno in FULL:
        return error.errno
    words = str(error)
    return next((number for said, number in SAID.items() if said in words), None)


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
