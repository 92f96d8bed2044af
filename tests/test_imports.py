"""Imports look one way: main -> cli -> modules and datamodules -> text -> storage, checkpoints -> contracts, errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEVELS = {
    "errors": 0, "contracts": 0, "moved": 0, "storage": 1, "checkpoints": 2, "text": 3, "datamodules": 4, "modules": 4,
    "cli": 5, "main": 6,
}  # fmt: skip
LONGEST = 300
"""Lines of a file that is read in one sitting."""
FILES = sorted(
    path
    for name in LEVELS
    for path in ([ROOT / f"{name}.py"] if (ROOT / f"{name}.py").is_file() else (ROOT / name).rglob("*.py"))
)
LIGHT = ("torch", "lightning", "transformers", "datasets")
"""What nothing below `text/` imports as it is imported: helper processes would wait for it."""


def imports(path: Path, whole: bool = True) -> Iterator[str]:
    """What a file imports, from the package's root on; without `whole` what it imports when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree) if whole else tree.body:
        if isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                target = [*package[: len(package) - node.level + 1], *module]
            elif module[:1] == ["pretune"]:
                target = module[1:]
            else:
                yield f"!{node.module}"
                continue
            if target:
                yield ".".join(target)
            for alias in node.names:
                yield ".".join([*target, alias.name])
        elif isinstance(node, ast.Import):
            yield from (f"!{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_looks_up(path: Path) -> None:
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    for name in imports(path):
        room = name.split(".")[0]
        if room not in LEVELS or room == own:
            continue
        assert LEVELS[room] < LEVELS[own], f"{own} must not import {name}"


def test_there_is_nothing_loose() -> None:
    loose = {path.name for path in ROOT.glob("*.py")} - {"__init__.py"}
    assert loose == {"main.py", "errors.py", "checkpoints.py", "moved.py"}


@pytest.mark.parametrize("path", [p for p in FILES if p.relative_to(ROOT).parts[0] in ("text", "storage")], ids=str)
def test_text_needs_no_torch(path: Path) -> None:
    heavy = [n for n in imports(path, whole=False) if n.startswith("!") and n[1:].split(".")[0] in LIGHT]
    assert not heavy


def test_no_circle() -> None:
    """Among what is imported at once: a circle within a room is one idea in two files."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    edges = {name: {n for n in imports(path, whole=False) if n in names and n != name} for name, path in names.items()}
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join([*above[above.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                walk(other, (*above, name))
            done.add(name)

    for name in names:
        walk(name, ())


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_file_is_long_without_a_reason(path: Path) -> None:
    """A file has one idea; one that is long all the same says why in its docstring."""
    text = path.read_text(encoding="utf-8")
    lines, reason = len(text.splitlines()), ast.get_docstring(ast.parse(text)) or ""
    assert lines <= LONGEST or "long" in reason, f"{lines} lines"


def test_the_base_of_all_modules_is_short() -> None:
    assert len((ROOT / "modules/base.py").read_text(encoding="utf-8").splitlines()) <= 170
