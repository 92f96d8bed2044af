"""nanoGPT's `train.bin` and `val.bin`: uint16, and nothing else (https://github.com/karpathy/nanoGPT)."""

from __future__ import annotations

import os

import numpy as np

from ....errors import InputError
from .token_file import TokenFile, size_of

DTYPE = np.dtype("<u2")
NAMES = ("train.bin", "val.bin")


def find(paths: list[str]) -> list[TokenFile]:
    """Return the files that paths name: of a folder, `train.bin` and `val.bin`.

    Args:
        paths: of files and folders. A file called `val.bin` is the validation part.

    Raises:
        InputError: if a folder has no `train.bin`.
    """
    files = []
    for path in paths:
        if not os.path.isdir(path):
            files.append(path)
            continue
        if not os.path.isfile(os.path.join(path, NAMES[0])):
            raise InputError(f"--tokens: {path} holds no {NAMES[0]}, as nanoGPT's prepare.py writes it.")
        files += [file for name in NAMES if os.path.isfile(file := os.path.join(path, name))]
    return [_file(path) for path in files]


def _file(path: str) -> TokenFile:
    count, left_over = divmod(size_of(path), DTYPE.itemsize)
    split = "validation" if os.path.basename(path) == NAMES[1] else "train"
    return TokenFile(path, split, DTYPE, 0, count, left_over, "make no whole id")
