"""A content-addressed cache on disk: tokenize once, map the result into memory ever after."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
from lightning_utilities.core.rank_zero import rank_zero_warn

from ..errors import InputError
from . import manifest
from .turns import is_free, turn

FORMAT = 3
"""Part of every key; raised when the layout of the files changes."""

FORGOTTEN = 7 * 24 * 3600.0
"""Seconds without a change after which an unfinished entry is removed where no lock tells that it was left."""


def default_cache() -> str:
    """Return `$PRETUNE_CACHE`, or `~/.cache/pretune`."""
    return os.environ.get("PRETUNE_CACHE") or str(Path.home() / ".cache" / "pretune")


def digest(key: Any) -> str:
    """Return a short name for anything that JSON can carry."""
    return hashlib.sha256(json.dumps([FORMAT, key], sort_keys=True, default=str).encode()).hexdigest()[:20]


def cached(root: str, kind: str, key: Any, make: Callable[[Path], None]) -> Path:
    """Return the folder that holds what `make` makes out of `key`; made if it is not there, or damaged.

    It is made under a name that nobody else has, synced, and renamed when it is complete, so that a killed run leaves
    nothing half-done behind. Who comes second waits for the first; on file systems without locks both make it, and one
    is kept.

    Raises:
        InputError: if the cache cannot be written.
    """
    folder, name = Path(root, kind), digest(key)
    final, lock = folder / name, _beside(root, ".locks", kind, name, ".lock")
    if final.is_dir() and manifest.damage(final, _beside(root, ".checked", kind, name)) is None:
        return final
    with turn(lock, f"{kind}/{name} of the cache {root}") as alone:
        wrong = manifest.damage(final, _beside(root, ".checked", kind, name)) if final.exists() else ""
        if wrong is None:  # another process made it meanwhile
            return final
        unfinished = folder / f"{name}.{platform.node()}.{os.getpid()}.{token_hex(8)}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # such as a file where a folder should be
            raise _unwritable(root, error, folder) from error
        try:
            _clear(root, kind, name, alone)
            if wrong:
                rank_zero_warn(f"The cache entry {final} is damaged ({wrong}): it is made anew.")
                final.rename(unfinished)  # whoever has it open keeps it
                shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            manifest.write(unfinished)
            try:
                unfinished.rename(final)
            except OSError:
                if not final.is_dir():  # else another process was faster, and what it made is the same
                    raise
            manifest.sync(folder)
            manifest.mark(_beside(root, ".checked", kind, name))
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT, EROFS, EACCES, EPERM):
                raise
            raise _unwritable(root, error, unfinished) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return final


def _unwritable(root: str, error: OSError, place: Path) -> InputError:
    return InputError(
        f"The cache {root} cannot be written ({error.strerror}: {error.filename or place}): make room or set "
        "data.cache_dir (or $PRETUNE_CACHE) to another folder."
    )


def find(root: str, kind: str, key: Any) -> Path | None:
    """Return the folder that `cached` made out of a key, if it is there and whole."""
    folder = Path(root, kind, digest(key))
    whole = folder.is_dir() and manifest.damage(folder, _beside(root, ".checked", kind, folder.name)) is None
    return folder if whole else None


def _beside(root: str, what: str, kind: str, name: str, ending: str = "") -> Path:
    return Path(root, what, f"{kind}-{name}{ending}")


def _clear(root: str, kind: str, name: str, alone: bool) -> None:
    """Remove what killed processes left: nobody holds the lock of such an entry, or nothing moved for days."""
    for left in Path(root, kind).glob("*.tmp"):
        entry = left.name.partition(".")[0]
        over = alone if entry == name else is_free(_beside(root, ".locks", kind, entry, ".lock"))
        if over or _age(left) > FORGOTTEN:
            shutil.rmtree(left, ignore_errors=True)


def _age(folder: Path) -> float:
    try:
        return time.time() - max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    except OSError:  # it is being worked on
        return 0.0


class TokenWriter:
    """Writes sequences of token ids one after the other into `NAME.bin`, and where they end into `NAME.ends.bin`.

    Where it is wanted, `NAME.starts.bin` says of every token whether a word begins with it.

    Args:
        folder: where to.
        vocabulary: how many ids there are, or the type of the numbers.
        name: of the files.
    """

    def __init__(self, folder: Path, vocabulary: int | np.dtype, name: str = "tokens") -> None:
        if isinstance(vocabulary, int):
            vocabulary = np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)
        self.dtype = vocabulary
        self.folder, self.name = folder, name
        self._file = (folder / f"{name}.bin").open("wb")
        self._ends = (folder / f"{name}.ends.bin").open("wb")
        self._starts: IO[bytes] | None = None
        self._tokens = 0

    def write(
        self, sequences: Iterable[list[int] | np.ndarray], starts: Iterable[list[bool] | np.ndarray] | None = None
    ) -> None:
        """Append sequences, and of each token whether a word begins with it."""
        arrays = [np.asarray(ids, dtype=self.dtype) for ids in sequences]
        flags = [np.asarray(row, dtype=np.uint8) for row in starts or ()]
        if arrays:
            lengths = np.fromiter(map(len, arrays), np.int64, len(arrays))
            self.append(np.concatenate(arrays), lengths, np.concatenate(flags) if flags else None)

    def append(self, ids: np.ndarray, lengths: np.ndarray, starts: np.ndarray | None = None) -> None:
        """Append sequences that already lie one after the other.

        Args:
            ids: (tokens,).
            lengths: (sequences,), int64.
            starts: (tokens,), of each token whether a word begins with it.

        Raises:
            InputError: if an id is not in the vocabulary's range.
        """
        if self.dtype.kind == "u" and len(ids) and ids.max() > (most := np.iinfo(self.dtype).max):
            raise InputError(
                f"The tokenizer gives the id {ids.max()}, but has no more than {most + 1} tokens (`len(tokenizer)`): "
                "there is a gap in its ids. Tokens without gaps, from 0 on, would do."
            )
        self._file.write(np.ascontiguousarray(ids, self.dtype).data)
        self._ends.write((self._tokens + np.cumsum(lengths)).astype(np.int64).tobytes())
        self._tokens += len(ids)
        if starts is not None:
            self._starts = self._starts or (self.folder / f"{self.name}.starts.bin").open("wb")
            self._starts.write(np.ascontiguousarray(starts, np.uint8).data)

    def close(self) -> None:
        """Finish the files."""
        for file in (self._file, self._ends, self._starts):
            if file is not None:
                file.close()
        (self.folder / f"{self.name}.dtype").write_text(self.dtype.name)


class TokenStore:
    """Token ids on disk, mapped into memory when first read (in each worker anew)."""

    def __init__(self, folder: Path, name: str = "tokens") -> None:
        self.folder, self.name = folder, name

    @cached_property
    def ids(self) -> np.ndarray:
        """All sequences, one after the other."""
        dtype = np.dtype((self.folder / f"{self.name}.dtype").read_text())
        return mapped(self.folder / f"{self.name}.bin", dtype)

    @cached_property
    def starts(self) -> np.ndarray:
        """Of every token whether a word begins with it; uint8."""
        return mapped(self.folder / f"{self.name}.starts.bin", np.dtype(np.uint8))

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each sequence ends."""
        return mapped(self.folder / f"{self.name}.ends.bin", np.dtype(np.int64))

    @property
    def key(self) -> list[str]:
        """What a cache key must hold of where its sequences end."""
        return [self.folder.name, self.name]

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self.ends[-1]) if len(self) else 0

    def __len__(self) -> int:
        return len(self.ends)

    def place(self, index: int) -> int:
        """Return where a sequence begins, and the one before it ends."""
        return int(self.ends[index - 1]) if index else 0

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.place(index) : self.place(index + 1)]

    def words(self, index: int) -> np.ndarray:
        """Return of each token of a sequence whether a word begins with it."""
        return self.starts[self.place(index) : self.place(index + 1)]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The length of each sequence, int64."""
        return np.diff(self.ends, prepend=0)

    def __getstate__(self) -> dict[str, Any]:
        # A mapped array would be pickled as a copy of its content.
        return {"folder": self.folder, "name": self.name}


def mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """Return the numbers in a file, mapped into memory."""
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype=dtype, mode="r")
