from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xxhash
from http_store import HttpStore, http_store  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.storage import shard_files
from pretune.storage.prepared import ShardFile
from pretune.storage.shard_files import FetchedShards

NAMES = [f"train-{number:05d}.bin" for number in range(8)]
SIZE = 1000


def content(name: str) -> bytes:
    return (name.encode() * SIZE)[:SIZE]


FILES = {name: ShardFile(SIZE, xxhash.xxh3_128_hexdigest(content(name))) for name in NAMES}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HttpStore]:
    (tmp_path / "there").mkdir()
    for name in NAMES:
        (tmp_path / "there" / name).write_bytes(content(name))
    with http_store(tmp_path / "there") as store:
        yield store


def shards(store: HttpStore, limit: int | None = None) -> FetchedShards:
    return FetchedShards(store.url, FILES, Path("here"), limit)


def here() -> set[str]:
    return {path.name for path in Path("here").glob("*.bin")}


def until(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, here()
        time.sleep(0.01)


def test_it_comes_once(store: HttpStore) -> None:
    files = shards(store)
    for _ in range(2):
        assert files.path(NAMES[2]).read_bytes() == content(NAMES[2])
    assert shards(store).path(NAMES[2]).is_file()  # of another run
    assert store.asked == [NAMES[2]]


def test_what_is_expected_comes_ahead_of_time_in_its_order(store: HttpStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_files, "AT_ONCE", 1)
    files = shards(store)
    files.expect([NAMES[5], NAMES[1], NAMES[5]], "train")
    until(lambda: here() == {NAMES[5], NAMES[1]})
    assert store.asked == [NAMES[5], NAMES[1]]
    files.expect([NAMES[1], NAMES[0]], "train")
    until(lambda: NAMES[0] in here())
    assert store.asked == [NAMES[5], NAMES[1], NAMES[0]]


def test_the_cache_stays_within_its_limit_and_lets_go_what_was_used(store: HttpStore) -> None:
    files = shards(store, 4 * SIZE)
    for first in range(0, 6, 2):
        expected = NAMES[first : first + 4]
        files.expect(expected, "train")
        for name in expected[:2]:
            assert files.path(name).read_bytes() == content(name)
        until(lambda expected=expected: set(expected) <= here())
        assert len(here()) <= 4
    assert Counter(store.asked) == Counter(NAMES)  # nothing twice


def test_what_is_needed_now_comes_before_what_is_expected_later(store: HttpStore) -> None:
    files = shards(store, 2 * SIZE)
    files.expect(NAMES[:4], "train")
    until(lambda: len(here()) == 2)
    assert files.path(NAMES[3]).is_file()
    assert len(here()) == 2


def test_a_process_that_was_killed_leaves_nothing_behind(store: HttpStore) -> None:
    Path("here").mkdir()
    Path(f"here/{NAMES[0]}.0123abcd.tmp").write_bytes(b"half")
    shards(store).path(NAMES[0])
    assert {path.name for path in Path("here").iterdir() if path.is_file()} == {NAMES[0]}


def test_a_full_disk_is_told_once_nothing_is_left_to_go(store: HttpStore, monkeypatch: pytest.MonkeyPatch) -> None:
    files = shards(store)
    files.path(NAMES[0])
    real, full = shard_files.bring, [True]

    def brings(folder: Any, name: str, known: Any, target: Path) -> None:
        if len(here()) >= 1 or full[0] is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(folder, name, known, target)

    monkeypatch.setattr(shard_files, "bring", brings)
    assert files.path(NAMES[1]).is_file()  # in the place of the other
    assert here() == {NAMES[1]}
    full[0] = None  # type: ignore[call-overload]
    with pytest.raises(InputError, match=r"The cache here cannot be written \(No space left on device\)"):
        files.path(NAMES[2])


def _reads(url: str, seed: int) -> None:
    files = FetchedShards(url, FILES, Path("here"), None)
    for name in [*NAMES[seed:], *NAMES[:seed]]:
        assert files.path(name).read_bytes() == content(name)


def test_two_processes_bring_nothing_twice(store: HttpStore) -> None:
    store.delay = 0.02
    context = multiprocessing.get_context("spawn")
    readers = [context.Process(target=_reads, args=(store.url, seed)) for seed in (0, 3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
        assert reader.exitcode == 0
    assert Counter(store.asked) == Counter(NAMES)


def test_a_forked_process_brings_its_own(store: HttpStore) -> None:
    files = shards(store)
    files.expect(NAMES[:2], "train")
    until(lambda: len(here()) == 2)
    child = os.fork()
    if child == 0:
        try:
            files.expect(NAMES[4:6], "train")
            until(lambda: len(here()) == 4)
            os._exit(0 if files.path(NAMES[7]).is_file() else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_it_pickles(store: HttpStore) -> None:
    files = shards(store)
    files.expect(NAMES[:1], "train")
    again = pickle.loads(pickle.dumps(files))
    assert again.path(NAMES[6]).is_file()
