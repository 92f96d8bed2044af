"""What a disk refuses is said with the names that people know."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.storage.disk import disk_error, disk_full, full_file, refuse_unwritable


def test_a_full_disk_is_told_from_other_errors() -> None:
    wrapped = RuntimeError("the library's own words")
    wrapped.__cause__ = OSError(errno.EDQUOT, "Disk quota exceeded", "file")
    assert disk_full(wrapped) == "Disk quota exceeded: file"
    assert full_file(wrapped) == "file"
    ours = InputError("The cache is full")
    ours.__cause__ = wrapped
    assert disk_full(ours) == "The cache is full"
    assert full_file(OSError(errno.ENOSPC, "No space left on device")) is None
    assert disk_full(RuntimeError("I/O error: No space left on device (os error 28)")) is not None
    assert disk_full(OSError(errno.ENOSPC, "No space left on device", "o.jsonl")) == "No space left on device: o.jsonl"
    assert disk_full(ValueError("(sqlite3.OperationalError) database or disk is full")) is not None
    assert disk_full(OSError(errno.EACCES, "Permission denied")) is None
    assert disk_full(None) is None


def test_an_error_names_what_the_user_knows_or_what_lies_elsewhere(tmp_path: Path) -> None:
    place, target = tmp_path / "ox.12345678.unfinished", tmp_path / "ox"
    inside = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place / "model.onnx"))
    other = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/elsewhere/part")
    library = RuntimeError("I/O error: No space left on device (os error 28)")
    buried = InputError("ONNX cannot carry it")
    buried.__cause__ = inside
    for error, name in ((inside, str(target)), (buried, str(target)), (library, str(target)), (other, other.filename)):
        named = disk_error(error, place, target)
        assert named is not None
        assert (named.errno, named.filename) == (errno.ENOSPC, name)
    read_only = OSError(errno.EROFS, os.strerror(errno.EROFS), str(place))
    named = disk_error(read_only, place, target)
    assert named is not None
    assert named.filename == str(target)
    assert disk_error(OSError(errno.EACCES, "Permission denied", "/etc/shadow"), place, target) is None
    assert disk_error(InputError("of another kind"), place, target) is None


def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "new/folder/o.jsonl")
    refuse_unwritable("o.jsonl")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for path in (Path("/proc/y.jsonl"), tmp_path / "file/ox"):
        with pytest.raises(InputError, match=rf"^{path} cannot be written \(.*: {path.parent}\): another --as would"):
            refuse_unwritable(path, "--as")
