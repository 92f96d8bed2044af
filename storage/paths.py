"""Folders that a user names."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError


def local_folder(folder: str, option: str) -> str:
    """Return a folder of this machine, or of a disk that is mounted there.

    Args:
        folder: a path, which may begin with `~`, or a `file://` URL.
        option: the option's name, for the message.

    Raises:
        InputError: for another URL. As a path it would be a folder named `s3:`.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", folder)
    if scheme and scheme[1].lower() == "file":
        folder = "/" + folder[scheme.end() :].lstrip("/")
    elif scheme:
        raise InputError(
            f"{option} is {folder}: it must be a folder of this machine (its files are mapped into memory, and renamed "
            f"when they are complete), and not a URL. Mount the {scheme[1]} storage, or copy what is finished there."
        )
    return str(Path(folder).expanduser())
