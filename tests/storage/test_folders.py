from __future__ import annotations

from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.storage.folders import Folder


@pytest.mark.parametrize("url", ["{}/here", "file://{}/here", "memory://folders-test"])
def test_files_are_written_and_found(url: str, tmp_path: Path) -> None:
    folder = Folder(url.format(tmp_path))
    assert folder.names() == []
    assert not folder.exists("a.bin")
    folder.write("a.bin", b"one")
    folder.write("a.bin", b"two")
    (tmp_path / "local").write_bytes(b"three")
    folder.below("inner").put("b.bin", tmp_path / "local")
    assert folder.names() == ["a.bin", "inner"]
    assert folder.below("inner").names() == ["b.bin"]
    assert (folder.read("a.bin"), folder.read("inner/b.bin")) == (b"two", b"three")
    folder.remove("inner")
    folder.remove("a.bin")
    folder.remove("a.bin")
    assert folder.names() == []
    with pytest.raises(FileNotFoundError):
        folder.read("a.bin")


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a")
    with pytest.raises(InputError, match=r"file is a file; it must be a folder"):
        Folder(str(tmp_path / "file")).names()
    with pytest.raises(InputError, match=r"file/a cannot be written: (Not a directory|File exists)"):
        Folder(str(tmp_path / "file")).write("a", b"")
    with pytest.raises(InputError, match=r"nowhere://a cannot be reached: Protocol not known"):
        Folder("nowhere://a")


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "here"))
    with pytest.raises(FileNotFoundError):
        folder.put("a", tmp_path / "missing")
    assert folder.names() == []
