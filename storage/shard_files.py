"""The files of a prepared corpus on this machine: where they lie, or brought from a store when they are needed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import manifest as marks
from .folders import Folder
from .prepared import ShardFile
from .transfer import bring
from .turns import turn

AT_ONCE = 4
"""Files that are brought at the same time."""
FORGOTTEN = 3600.0
"""Seconds after which a file that was on its way comes no more: its process was killed."""


class LocalShards:
    """Files on a disk of this machine, or one that is mounted there.

    Each is compared with its hash when it is first used on a machine, and again when its size or date has changed.

    Args:
        folder: where they lie.
        files: what each should be, by name.
        checked: a folder that remembers which were found whole.
    """

    def __init__(self, folder: Path, files: Mapping[str, ShardFile], checked: Path) -> None:
        self.folder, self.files, self.checked = folder, files, checked

    def path(self, name: str) -> Path:
        """Return where a file lies.

        Raises:
            InputError: if it is missing, or not what it should be.
        """
        path, known = self.folder / name, self.files[name]
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path} is missing ({error.strerror}): copy the prepared corpus whole.") from error
        state = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
        mark = self.checked / name
        if stat.st_size == known.size and self._marked(mark, state):
            return path
        with turn(self.checked / ".locks" / f"{name}.lock", f"the check of {path}"):
            if stat.st_size == known.size and self._marked(mark, state):
                return path
            if stat.st_size != known.size or marks.hash_file(path) != known.hash:
                raise InputError(
                    f"{path} is not what its manifest says ({known.size:,} bytes, hash {known.hash}): it is damaged, "
                    "or was replaced. Remove it and give the `prepare` command again, or copy it anew."
                )
            with suppress(OSError):  # a cache that cannot be written: checked again
                marks.replace(mark, state.encode())
        return path

    def expect(self, names: Iterable[str], reader: str) -> None:
        """Take note of what will be needed: all of it is here."""

    @staticmethod
    def _marked(mark: Path, state: str) -> bool:
        with suppress(OSError):
            return mark.read_text() == state
        return False


class FetchedShards:
    """Files behind a URL, brought into a bounded local folder that the processes of a machine share.

    Args:
        url: of the folder that they lie in.
        files: what each should be, by name.
        place: the local folder.
        limit: bytes that it may hold; None knows no limit.
    """

    def __init__(self, url: str, files: Mapping[str, ShardFile], place: Path, limit: int | None) -> None:
        self.url, self.files, self.place, self.limit = url, files, place, limit
        self._begin()

    def _begin(self) -> None:
        self._readers: dict[str, list[str]] = {}
        self._expected: dict[str, int] = {}
        """Files that will be needed, and in which turn."""
        self._changed = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._taken: set[str] = set()
        """Files that a thread of this process is bringing."""
        self._process = os.getpid()

    def path(self, name: str) -> Path:
        """Return where a file lies, once it is here.

        Raises:
            InputError: if it cannot be brought.
        """
        path = self._fetched(name, must=True)
        assert path is not None
        return path

    def expect(self, names: Iterable[str], reader: str) -> None:
        """Have files brought ahead of time, in this order; those that the reader expected before may go.

        Args:
            names: of files, those that are needed next first.
            reader: who will need them.
        """
        if self._process != os.getpid():
            self._begin()  # a process that was forked has none of the threads
        with self._changed:
            self._readers[reader] = list(names)
            every = dict.fromkeys(name for expected in self._readers.values() for name in expected)
            self._expected = {name: turn for turn, name in enumerate(every)}
            alive = [thread for thread in self._threads if thread.is_alive()]
            for _ in range(AT_ONCE - len(alive)):
                thread = threading.Thread(target=self._work, daemon=True)
                alive.append(thread)
                thread.start()
            self._threads = alive

    def _work(self) -> None:
        """Bring what is expected, as far as there is room. What fails is told by whoever needs it."""
        while threading.main_thread().is_alive():
            with self._changed:
                missing = (n for n in self._expected if n not in self._taken and not (self.place / n).exists())
                name = next(missing, None)
                if name is None:
                    return
                self._taken.add(name)
            try:
                if self._fetched(name, must=False) is None:
                    return
            except Exception:
                return
            finally:
                with self._changed:
                    self._taken.discard(name)

    def _fetched(self, name: str, must: bool) -> Path | None:
        """Return where a file lies, brought if it is not here; None where there is no room and it need not be."""
        path = self.place / name
        if _is_here(path):
            return path
        with turn(self.place / ".locks" / f"{name}.lock", f"{name} of {self.url}"):
            if _is_here(path):  # another process, or thread, has brought it meanwhile
                return path
            for left in self.place.glob(f"{name}.{'[0-9a-f]' * 8}.tmp"):  # of a process that was killed
                left.unlink(missing_ok=True)
            try:
                for again in (False, True):
                    if not self._make_room(name, must, full=again) and not must:
                        return None
                    try:
                        bring(Folder(self.url), name, self.files[name], path)
                        return path
                    except OSError as error:
                        if again or error.errno not in (ENOSPC, EDQUOT):
                            raise self._unwritable(error) from error
            finally:
                self._room(name).unlink(missing_ok=True)
        return None

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            f"The cache {self.place} cannot be written ({error.strerror or error}): make room, or set data.cache_dir "
            "(or $PRETUNE_CACHE) to another folder, or a lower data.cache_limit."
        )

    def _room(self, name: str) -> Path:
        """Return the mark of a file that is on its way: its room is taken."""
        return self.place / f"{name}.room"

    def _make_room(self, name: str, must: bool, full: bool) -> bool:
        """Remove what was used longest ago and is not expected, then what is expected last; return whether it suffices.

        Args:
            name: of the file that comes.
            must: whether files go, too, that are expected before it.
            full: whether the disk is, whatever the limit says.
        """
        if self.limit is None and not full:
            return True
        with turn(self.place / ".locks" / "room.lock", f"room in {self.place}"):
            expected = dict(self._expected)
            mine = expected.get(name, len(expected))
            here: list[tuple[int, int, int, Path]] = []
            coming: set[str] = set()
            for path in self.place.iterdir() if self.place.is_dir() else ():
                with suppress(OSError):  # another process has removed it
                    stat = path.stat()
                    if path.suffix == ".bin":
                        last = -expected[path.name] if path.name in expected else -len(expected) - 1
                        here.append((last, stat.st_mtime_ns, stat.st_size, path))
                    elif path.suffix == ".room" and time.time() - stat.st_mtime < FORGOTTEN:
                        coming.add(path.stem)
            coming = (coming & self.files.keys()) - {entry[3].name for entry in here}
            held = sum(entry[2] for entry in here) + sum(self.files[other].size for other in coming)
            size = self.files[name].size
            fits = False
            for last, _, of_file, path in sorted(here):
                fits = not full and self.limit is not None and held + size <= self.limit
                if fits or (not must and -last < mine):
                    break
                path.unlink(missing_ok=True)  # whoever has it mapped keeps it
                held -= of_file
            else:
                fits = full or self.limit is None or held + size <= self.limit
            if fits or must:
                with suppress(OSError):  # a folder that cannot be written says so when the file comes
                    self._room(name).touch()
            return fits

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("url", "files", "place", "limit")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()


def _is_here(path: Path) -> bool:
    try:
        os.utime(path)  # used now: the last to go
    except OSError:
        return False
    return True
