from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text.readers.installed_docs import gather, installed_roots, read_installed_docs

LONG = "This says what numpy and PyTorch do, and how np.sum behaves, at a length that counts as a document."


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for package, first in (("numpy", 0), ("torch", 100)):
        folder = found[package] = tmp_path / "site" / package
        (folder / "tests").mkdir(parents=True)
        for i in range(first, first + 60):
            (folder / f"m{i}.py").write_text(
                f'"""{package} {i}: {LONG}"""\nimport os\n\n'
                f'def f(\n    a,\n):\n    """Short."""\n    x = """not {LONG}"""\n\n\n'
                f"class A:\n    r'''A {package} {i}\n\n    {LONG}\n    '''\n"
            )
        (folder / "copy.py").write_text(f'"""{package} {first + 1}: {LONG}"""\n')
        (folder / "tests" / "t.py").write_text(f'"""Never read: {LONG}"""\n')
    return found


def test_docstrings_and_nothing_else(roots: dict[str, Path]) -> None:
    texts = [row["text"] for row in gather(roots)]
    assert len(texts) == len(set(texts)) == 240
    assert any(text.startswith("A numpy 3\n\nThis says") for text in texts)
    assert not any(text.startswith(("not", "Short", "Never")) for text in texts)


def test_splits_are_by_module_and_the_corpus_never_sees_the_test(roots: dict[str, Path], tmp_path: Path) -> None:
    modules = {
        split: {r["module"] for r in gather(roots) if r["split"] == split} for split in ("train", "validation", "test")
    }
    assert all(modules.values())
    assert not modules["train"] & modules["test"]
    cache = str(tmp_path / "cache")
    corpus = {r["text"] for s in ("train", "validation") for r in read_installed_docs("corpus", s, cache, roots)}
    test = [r["text"] for r in gather(roots) if r["split"] == "test"]
    assert test
    assert not corpus & set(test)


def test_near_copies_are_on_one_side(roots: dict[str, Path]) -> None:
    for package, root in roots.items():
        for number in range(30):
            text = f"Of {package}, the *fourth* kind: {LONG} Note {number}."
            (root / f"copied{number}.py").write_text(f'"""{text}"""\n')
    copies = [row for row in gather(roots) if "fourth" in row["text"]]
    assert len(copies) > 30  # of both packages
    assert len({row["split"] for row in copies}) == 1


def test_names_are_hidden(roots: dict[str, Path], tmp_path: Path) -> None:
    rows = list(read_installed_docs("packages", "train", str(tmp_path), roots))
    assert {row["label"] for row in rows} == {"numpy", "torch"}
    for row in rows:
        assert not any(name in row["text"].lower() for name in ("numpy", "torch", "np.")), row
        assert "package and package do" in row["text"]


@pytest.mark.parametrize(
    ("subset", "split", "message"),
    [
        ("packs", "train", "'packs'; installed_docs has: corpus, packages"),
        ("packages", "dev", "no split 'dev'; it has: train, validation, test"),
        ("corpus", "test", "no split 'test'; it has: train, validation"),
    ],
)
def test_unknown_subset_or_split(subset: str, split: str, message: str, roots: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        list(read_installed_docs(subset, split, str(tmp_path / "cache"), roots))


def test_the_second_start_reads_the_cache(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = list(read_installed_docs("corpus", "train", str(cache), roots))
    monkeypatch.setattr("pretune.text.readers.installed_docs.gather", lambda *_: pytest.fail("gathered again"))
    assert list(read_installed_docs("corpus", "train", str(cache), roots)) == first


def test_an_interrupted_start_leaves_nothing(
    roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> Iterator[dict[str, str]]:
        yield {"text": "half"}
        raise KeyboardInterrupt

    monkeypatch.setattr("pretune.text.readers.installed_docs.gather", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(read_installed_docs("corpus", "train", str(tmp_path / "cache"), roots))
    assert not list((tmp_path / "cache" / "installed_docs").iterdir())


def test_one_real_package() -> None:
    rows = list(gather({"torchmetrics": installed_roots()["torchmetrics"]}))
    assert len(rows) > 500
    assert {row["split"] for row in rows} == {"train", "validation", "test"}


def test_real_packages_are_found() -> None:
    assert {"python", "torch", "numpy"} <= set(installed_roots())


def test_nothing_installed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No docstring"):
        list(gather({"numpy": tmp_path}))
