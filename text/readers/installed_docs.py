"""The documentation installed on this machine: real text on every machine, with nothing to download.

Docstrings of the standard library and of the packages that pretune itself depends on, read as text: nothing is imported
or run.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import InputError

PACKAGES = (
    "torch", "transformers", "lightning", "torchmetrics", "datasets", "numpy", "pandas", "pyarrow", "jsonargparse",
    "fsspec", "rich", "tensorboard", "huggingface_hub", "tokenizers", "safetensors", "aiohttp", "networkx", "sympy",
    "setuptools", "jinja2",
)  # fmt: skip
"""Read for the corpus, where installed: pretune's dependencies and theirs."""

LABELS = ("python", "torch", "transformers", "numpy", "pandas", "lightning", "torchmetrics", "sympy")
"""The packages to tell apart; `python` is the standard library."""

NAMES = (
    r"pytorch|torchmetrics|torchvision|torchaudio|torch|transformers?|hugging ?face|numpy|pandas|lightning|sympy|"
    r"cpython|python|\b(?:np|pd|pl|hf|sp)\b"
)
"""What gives a package away; hidden behind one neutral word."""

DOCSTRING = re.compile(r"""(?:\A\s*|:[ \t]*\n[ \t]*)[rRuU]?(?P<quotes>\"{3}|'{3})(?P<text>.*?)(?P=quotes)""", re.DOTALL)
"""Triple quotes at the start of a file, or after a line that ends in a colon: 30 times as fast as a syntax tree."""

NOT_READ = {"site-packages", "test", "tests", "idlelib", "lib2to3", "_vendor"}
GATHERING = 3
"""What is gathered, and how it is split, of the same packages: part of cache keys."""
SHORTEST = 60
BEGINNING = 60
"""Letters and digits by which docstrings are near-copies: a classifier that reads 64 tokens may see no more."""
SPLITS = {"corpus": ("train", "validation"), "packages": ("train", "validation", "test")}
CAPS = {"train": 2000, "validation": 150, "test": 300}


def read_installed_docs(
    subset: str, split: str, cache_dir: str, roots: dict[str, Path] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield docstrings for pretraining, or docstrings with the package they come from.

    The split is a function of the module, so that the near-copies within one file never straddle it; those of other
    files that would are left out. No module of the test split is in the corpus: the downstream test is on text that
    pretraining has not seen.

    Args:
        subset: `corpus` (rows with `text`) or `packages` (rows with `text`, names hidden, and `label`).
        split: `train`, `validation` or `test`; the corpus has no test split.
        cache_dir: where the docstrings are kept, so that they are gathered once.
        roots: folders by package; None finds the installed ones.

    Raises:
        InputError: if there is no such subset or split.
    """
    if subset not in SPLITS:
        raise InputError(f"data.subset is {subset!r}; installed_docs has: {', '.join(SPLITS)}.")
    if split not in SPLITS[subset]:
        raise InputError(f"installed_docs/{subset} has no split {split!r}; it has: {', '.join(SPLITS[subset])}.")
    roots = installed_roots() if roots is None else roots
    rows = (row for row in _gathered(roots, cache_dir) if row["split"] == split)
    if subset == "corpus":
        yield from ({"text": row["text"]} for row in rows)
        return
    counts: dict[str, int] = {}
    # By hash, so that a capped class is a sample of its modules and not the first of them.
    for row in sorted(rows, key=lambda row: _hash(row["text"])):
        label = row["package"]
        if label in LABELS and counts.get(label, 0) < CAPS[split]:
            counts[label] = counts.get(label, 0) + 1
            yield {"text": re.sub(NAMES, "package", row["text"], flags=re.I), "label": label}


def installed_roots() -> dict[str, Path]:
    """Return the folder of each package to read, and of the standard library."""
    roots = {"python": Path(sysconfig.get_paths()["stdlib"])}
    for folder in map(Path, (sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"])):
        roots |= {name: folder / name for name in PACKAGES if (folder / name).is_dir()}
    return roots


def fingerprint_installed_docs(roots: dict[str, Path] | None = None) -> list[Any]:
    """Return the versions of what is read, for a cache key."""
    versions: list[Any] = [GATHERING, sys.version]
    for name, root in sorted((installed_roots() if roots is None else roots).items()):
        try:
            versions.append([name, importlib.metadata.version(name)])
        except importlib.metadata.PackageNotFoundError:
            versions.append([name, str(root)])
    return versions


def _gathered(roots: dict[str, Path], cache_dir: str) -> Iterator[dict[str, Any]]:
    from ...storage.cache import cached  # here: processes that tokenize load the readers too, and need no cache

    def make(folder: Path) -> None:
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in gather(roots))

    folder = cached(cache_dir, "installed_docs", fingerprint_installed_docs(roots), make)
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def gather(roots: dict[str, Path]) -> Iterator[dict[str, Any]]:
    """Yield every docstring below `roots`, in a fixed order.

    Copies are left out, and so is what begins, names hidden, like a docstring of another split: what is tested or
    validated on was not trained on.

    Raises:
        InputError: if there is none.
    """
    seen: set[bytes] = set()
    split_of: dict[str, str] = {}  # by beginning
    for package, root in sorted(roots.items()):
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            if not NOT_READ.isdisjoint(inside.parts):
                continue
            module = ".".join((package, *inside.with_suffix("").parts))
            share = int.from_bytes(_hash(module)[:4], "big") / 2**32
            split = "train" if share < 0.8 else "validation" if share < 0.9 else "test"
            for text in _docstrings(path):
                digest = _hash(text)
                if digest not in seen and split_of.setdefault(_beginning(text), split) == split:
                    seen.add(digest)
                    yield {"text": text, "package": package, "module": module, "split": split}
    if not seen:
        raise InputError(f"No docstring is installed below {', '.join(map(str, roots.values()))}.")


def _docstrings(path: Path) -> Iterator[str]:
    source = path.read_text(encoding="utf-8", errors="replace")
    for match in DOCSTRING.finditer(source):
        text = inspect.cleandoc(match["text"])
        if len(text) >= SHORTEST:
            yield text


def _beginning(text: str) -> str:
    """Return how a docstring begins: letters and digits alone, names hidden, in lower case."""
    hidden = re.sub(NAMES, "package", text[: 10 * BEGINNING], flags=re.I)
    return re.sub(r"[\W_]+", "", hidden).lower()[:BEGINNING]


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
