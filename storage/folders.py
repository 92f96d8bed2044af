"""Folders on this machine or behind a URL, whose files are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import InputError, first_line
from .atomic_files import sync_folder
from .manifest import sync


class Folder:
    """A folder by path or URL: `corpus`, `file:///data/corpus`, `s3://bucket/corpus`, whatever fsspec knows.

    It is there once something is written into it.

    Args:
        url: a path, which may begin with `~`, or a URL.

    Raises:
        InputError: if there is no such protocol, or its package is missing.
    """

    def __init__(self, url: str) -> None:
        import fsspec.implementations.local

        self.url = str(url).rstrip("/") or "/"
        try:
            self.fs, path = fsspec.core.url_to_fs(str(Path(url).expanduser()) if "://" not in url else url)
        except (ImportError, ValueError, OSError) as error:
            raise InputError(f"{url} cannot be reached: {first_line(error).rstrip('.')}.") from error
        self.path: str = path.rstrip("/")
        self.local = Path(path) if isinstance(self.fs, fsspec.implementations.local.LocalFileSystem) else None
        """Where it lies on this machine; None behind a URL."""
        if self.local is not None:
            self.url = str(self.local)  # whole: other processes may have another working folder

    def where(self, name: str) -> str:
        """Return what messages call a file of it."""
        return f"{self.url}/{name}"

    def below(self, name: str) -> Folder:
        """Return a folder within it."""
        return Folder(f"{self.url}/{name}")

    def read(self, name: str) -> bytes:
        """Return what a file holds.

        Raises:
            FileNotFoundError: if there is none.
            InputError: if it cannot be read.
        """
        with self._told(name, "read"):
            content: bytes = self.fs.cat_file(self._at(name))
            return content

    def read_part(self, name: str, begin: int, end: int) -> bytes:
        """Return some bytes of a file, or all of them from a server that knows no parts; raise what the library does.

        Args:
            name: of the file.
            begin: the first byte.
            end: the one after the last.
        """
        content: bytes = self.fs.cat_file(self._at(name), start=begin, end=end)
        return content

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        with self._told(name, "looked for"):
            self.fs.invalidate_cache()
            return bool(self.fs.exists(self._at(name)))

    def names(self) -> list[str]:
        """Return the names of the files and folders in it, sorted; none where it is not there."""
        with self._told("", "listed"):
            self.fs.invalidate_cache()
            try:
                listed = self.fs.ls(self.path, detail=False)
            except FileNotFoundError:
                return []
            except NotADirectoryError as error:
                raise InputError(f"{self.url} is a file; it must be a folder.") from error
            if listed == [self.path] and self.fs.isfile(self.path):
                raise InputError(f"{self.url} is a file; it must be a folder.")
            return sorted(name for path in listed if (name := path.rstrip("/").rpartition("/")[2]))

    def write(self, name: str, content: bytes) -> None:
        """Write a file that readers see whole.

        Raises:
            InputError: if it cannot be written.
        """
        with self._told(name, "written"):
            if self.local is None:  # stores of objects show one when all of it is there
                self.fs.pipe_file(self._at(name), content)
                return
            with _renamed(self.local / name) as unfinished:
                unfinished.write_bytes(content)

    def put(self, name: str, file: Path) -> None:
        """Copy a file of this machine into it, which readers see whole.

        Raises:
            InputError: if it cannot be written.
        """
        with self._told(name, "written"):
            if self.local is None:
                self.fs.put_file(str(file), self._at(name))
                return
            with _renamed(self.local / name) as unfinished:
                shutil.copyfile(file, unfinished)

    def take(self, name: str, file: Path) -> None:
        """Move a file of this machine into it; from the same disk, without a copy.

        Raises:
            InputError: if it cannot be written.
        """
        if self.local is None or file.stat().st_dev != os.stat(self.local).st_dev:
            self.put(name, file)
            file.unlink()
            return
        with self._told(name, "written"):
            sync(file)
            file.replace(self.local / name)
            sync_folder(self.local)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it, if it is there."""
        with self._told(name, "removed"):
            self.fs.invalidate_cache()
            if self.fs.exists(self._at(name)):
                self.fs.rm(self._at(name), recursive=True)

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}" if name else self.path

    @contextmanager
    def _told(self, name: str, done: str) -> Iterator[None]:
        """Tell whatever a file system raises as an `InputError`; that a file is not there stays what it is."""
        try:
            yield
        except (InputError, FileNotFoundError):
            raise
        except OSError as error:
            if self.local is not None and error.errno is not None:
                raise InputError(f"{self.where(name)} cannot be {done}: {error.strerror or error}.") from error
            raise InputError(f"{self.where(name)} cannot be {done}: {_said(error)}.") from error
        except Exception as error:  # each library of a store has its own
            raise InputError(f"{self.where(name)} cannot be {done}: {_said(error)}.") from error


def _said(error: BaseException) -> Any:
    return first_line(error).rstrip(".")


@contextmanager
def _renamed(target: Path) -> Iterator[Path]:
    unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        sync(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)
