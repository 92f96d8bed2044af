from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash
from http_store import HttpStore, http_store  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.storage import transfer
from pretune.storage.folders import Folder
from pretune.storage.prepared import ShardFile
from pretune.storage.transfer import bring

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpStore]:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.bin").write_bytes(CONTENT)
    monkeypatch.setattr(transfer, "PIECE", 1000)
    monkeypatch.setattr(transfer, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(transfer, "PATIENCE", 2.0)
    with http_store(tmp_path / "there") as store:
        yield store


def known(content: bytes = CONTENT) -> ShardFile:
    return ShardFile(len(content), xxhash.xxh3_128_hexdigest(content))


def left() -> list[str]:
    return sorted(path.name for path in Path("here").iterdir())


@pytest.mark.parametrize("parts", [True, False])
def test_it_comes_in_pieces_and_whole(store: HttpStore, parts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    store.parts = parts
    if not parts:
        monkeypatch.setattr(transfer, "PIECE", len(CONTENT))
    bring(Folder(store.url), "a.bin", known(), Path("here/a.bin"))
    assert Path("here/a.bin").read_bytes() == CONTENT
    assert left() == ["a.bin"]
    assert len(store.asked) == (-(-len(CONTENT) // 1000) if parts else 1)


def test_a_store_that_fails_for_a_while_is_asked_again_and_that_is_told(store: HttpStore) -> None:
    store.fault = lambda name, number: 503 if 3 <= number <= 5 else None
    with pytest.warns(UserWarning, match=r"a.bin cannot be read \(503.*trying again for 2 s"):
        bring(Folder(store.url), "a.bin", known(), Path("here/a.bin"))
    assert Path("here/a.bin").read_bytes() == CONTENT
    assert len(store.asked) == -(-len(CONTENT) // 1000)  # what had come was not asked for again


@pytest.mark.filterwarnings("ignore:.*trying again")
def test_a_store_that_goes_on_failing_is_said(store: HttpStore) -> None:
    store.fault = lambda name, number: 503 if number > 3 else None
    with pytest.raises(InputError, match=r"a.bin could not be read for \d s: 503.*--ckpt_path last"):
        bring(Folder(store.url), "a.bin", known(), Path("here/a.bin"))
    assert left() == []


@pytest.mark.parametrize(("status", "said"), [(404, "is missing"), (403, "may not be read: credentials")])
def test_what_no_later_try_will_mend_is_said_at_once(store: HttpStore, status: int, said: str) -> None:
    store.fault = lambda name, number: status
    with pytest.raises(InputError, match=said):
        bring(Folder(store.url), "a.bin", known(), Path("here/a.bin"))
    assert left() == []


@pytest.mark.filterwarnings("ignore:.*came with another content")
def test_another_content_is_refused(store: HttpStore) -> None:
    other = CONTENT[:-1] + b"x"
    with pytest.raises(InputError, match=r"a.bin is not what its manifest says \(10,240 bytes"):
        bring(Folder(store.url), "a.bin", known(other), Path("here/a.bin"))
    assert left() == []


@pytest.mark.filterwarnings("ignore:.*trying again")
def test_a_file_that_is_cut_off_is_refused(store: HttpStore) -> None:
    (store.folder / "a.bin").write_bytes(CONTENT[:5500])
    with pytest.raises(InputError, match=r"a.bin could not be read"):
        bring(Folder(store.url), "a.bin", known(), Path("here/a.bin"))
    assert left() == []
