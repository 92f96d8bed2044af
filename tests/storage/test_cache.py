from __future__ import annotations

import errno
import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from pretune.errors import InputError
from pretune.storage import manifest, turns
from pretune.storage.cache import TokenStore, TokenWriter, cached, find


def test_made_once_and_only_when_complete(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text("1")

    first = cached(str(tmp_path), "kind", {"a": 1}, make)
    assert cached(str(tmp_path), "kind", {"a": 1}, make) == first
    assert cached(str(tmp_path), "kind", {"a": 2}, make) != first
    assert len(made) == 2

    def fail(folder: Path) -> None:
        (folder / "half").write_text("1")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        cached(str(tmp_path), "kind", {"a": 3}, fail)
    assert len(list((tmp_path / "kind").iterdir())) == 2


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65_536, np.uint16), (65_537, np.uint32)])
def test_tokens_come_back(vocabulary: int, dtype: type, tmp_path: Path) -> None:
    writer = TokenWriter(tmp_path, vocabulary)
    writer.write([[1, 2, 3], [], [vocabulary - 1]])
    writer.write([])
    writer.write([[5]])
    writer.close()
    store = pickle.loads(pickle.dumps(TokenStore(tmp_path)))
    assert store.ids.dtype == dtype
    assert [store[i].tolist() for i in range(len(store))] == [[1, 2, 3], [], [vocabulary - 1], [5]]
    assert store.lengths.tolist() == [3, 0, 1, 1]


def test_a_store_travels_without_its_content(tmp_path: Path) -> None:
    writer = TokenWriter(tmp_path, 100)
    writer.write([list(range(50))] * 2000)
    writer.close()
    store = TokenStore(tmp_path)
    assert len(store.ids) == 100_000
    assert len(pickle.dumps(store)) < 1000


def test_an_id_beyond_the_vocabulary_is_told(tmp_path: Path) -> None:
    """It would be another token without a word."""
    writer = TokenWriter(tmp_path, 100)
    with pytest.raises(InputError, match="gives the id 65536, but has no more than 65536 tokens"):
        writer.append(np.array([1, 1 << 16], np.uint32), np.array([2]))
    writer.close()


def numbers(folder: Path) -> None:
    (folder / "train.bin").write_bytes(bytes(range(256)) * 64)
    (folder / "report.json").write_text("{}")


def zeros(entry: Path) -> None:
    (entry / "train.bin").write_bytes(bytes(256 * 64))


def half(entry: Path) -> None:
    (entry / "train.bin").write_bytes((entry / "train.bin").read_bytes()[: 128 * 64])


def a_bit(entry: Path) -> None:
    content = bytearray((entry / "train.bin").read_bytes())
    content[5000] ^= 1
    (entry / "train.bin").write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "zeros": (zeros, "content of train.bin is not what was written"),
    "half": (half, "train.bin has 8,192 bytes instead of 16,384"),
    "a bit": (a_bit, "content of train.bin"),
    "a missing file": (lambda entry: (entry / "report.json").unlink(), "report.json is missing"),
    "no manifest": (lambda entry: (entry / manifest.NAME).unlink(), "manifest.json is missing"),
    "half a manifest": (lambda entry: (entry / manifest.NAME).write_text('{"files": {'), "cannot be read"),
    "another manifest": (lambda entry: (entry / manifest.NAME).write_text("[]"), "cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_anew(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    entry = cached(str(tmp_path), "kind", 1, numbers)
    harm, told = DAMAGES[damage]
    harm(entry)
    monkeypatch.setattr(manifest, "_seen", {})
    assert find(str(tmp_path), "kind", 1) is None
    assert cached(str(tmp_path), "kind", 1, numbers) == entry
    assert (entry / "train.bin").read_bytes() == bytes(range(256)) * 64
    (said,) = [str(w.message) for w in recwarn if "damaged" in str(w.message)]
    assert str(entry) in said
    assert told in said
    assert [path.name for path in (tmp_path / "kind").iterdir()] == [entry.name]


def test_of_a_large_file_pages_are_looked_at_and_all_of_it_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "WHOLE", 1000)
    monkeypatch.setattr(manifest, "PAGE", 4)
    entry = cached(str(tmp_path), "kind", 1, numbers)

    def whole() -> bool:
        monkeypatch.setattr(manifest, "_seen", {})
        return find(str(tmp_path), "kind", 1) == entry

    a_bit(entry)
    assert whole()  # nobody looked there
    monkeypatch.setenv("PRETUNE_CHECK_CACHE", "1")
    assert not whole()
    monkeypatch.delenv("PRETUNE_CHECK_CACHE")
    monkeypatch.setattr(manifest, "_start", lambda: "after the machine was started anew")
    assert not whole()
    a_bit(entry)  # back
    assert whole()
    a_bit(entry)
    assert whole()  # it was looked at once since then
    zeros(entry)
    assert not whole()


def test_two_processes_of_one_number_make_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each container has a process 1; the lock and the names must not depend on it."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.5)
        numbers(folder)

    with caplog.at_level("INFO"), ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: cached(str(tmp_path), "kind", 1, make), range(2)))
    assert found[0] == found[1]
    assert len(made) == 1
    assert "is being made by process 1 on" in caplog.text


def test_without_locks_both_make_it_and_one_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(self: Any, **options: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(turns.FileLock, "acquire", no_locks)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    both = Barrier(2)
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        both.wait(5)
        numbers(folder)
        both.wait(5)

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: cached(str(tmp_path), "kind", 1, make), range(2)))
    assert found[0] == found[1]
    assert len(set(made)) == 2
    assert list((tmp_path / "kind").iterdir()) == [found[0]]
    assert manifest.damage(found[0], tmp_path / "marks") is None


def test_leftovers_are_cleared_but_not_those_that_are_worked_on(tmp_path: Path) -> None:
    for name in ("dead.host.1.tmp", "alive.host.1.tmp"):
        (tmp_path / "kind" / name).mkdir(parents=True)
        (tmp_path / "kind" / name / "half.bin").write_text("x")
    with turns.turn(tmp_path / ".locks" / "kind-alive.lock", "it") as held:
        assert held
        entry = cached(str(tmp_path), "kind", 1, numbers)
    assert {path.name for path in (tmp_path / "kind").iterdir()} == {entry.name, "alive.host.1.tmp"}


def test_a_full_disk_names_the_cache(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r"cannot be written .*No space left.*PRETUNE_CACHE"):
        cached(str(tmp_path), "kind", 1, full)
    assert not list((tmp_path / "kind").iterdir())


def test_contents_say_what_numbers_there_are_and_not_where_they_were_read(tmp_path: Path) -> None:
    def make(where: str, last: int) -> str:
        def write(folder: Path) -> None:
            (folder / "examples.bin").write_text(where)
            (folder / "input_ids.bin").write_bytes(bytes([1, 2, last]))

        return manifest.contents(cached(str(tmp_path), "rows", [where, last], write))

    assert make("a.csv:1", 3) == make("/mnt/a.csv:1", 3) != make("a.csv:1", 4)
