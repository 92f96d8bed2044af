from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pretune.datamodules.cache import TokenStore, TokenWriter, cached
from pretune.errors import InputError


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
