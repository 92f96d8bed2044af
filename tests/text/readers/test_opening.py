"""Files are opened as text, with errors of one kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text.readers import fingerprint, open_text


@pytest.mark.parametrize("error", [OSError("of the reader's own"), ValueError("so is this"), EOFError("and this")])
def test_errors_of_the_one_who_reads_pass_unchanged(error: Exception, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(type(error)) as caught, open_text("a.txt"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_empty_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"^{name} is empty"), open_text(name):
        pass


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello")
    with open_text("a.txt") as text:
        assert text.read() == "hello"


@pytest.mark.parametrize("path", ["gone.txt", "memory://gone.txt"])
def test_a_file_that_is_gone(path: str) -> None:
    with pytest.raises(InputError, match=f"{path} cannot be read"):
        fingerprint([path])
    with pytest.raises(InputError, match=f"{path} cannot be opened"), open_text(path):
        pass
