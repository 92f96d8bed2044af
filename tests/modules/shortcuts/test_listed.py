"""What is changed in other libraries lies in one room, says so, and stands in docs/speed.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHORTCUTS = sorted(p for p in (ROOT / "modules" / "shortcuts").glob("*.py") if p.name != "__init__.py")
PATCHING = {*SHORTCUTS, ROOT / "cli" / "process.py"}
FILES = sorted(
    path
    for room in ("checkpoints.py", "contracts", "storage", "text", "datamodules", "modules", "cli")
    for path in ([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py"))
    if path not in PATCHING
)
EXCEPTIONS = {
    ("cli/costs/flops.py", "_attn_implementation"): "of a configuration that is a copy of our own",
    ("cli/parser_help.py", "_action_groups"): "of a parser of our own, whose help is put in order",
    ("modules/portable/session.py", "forward"): "of one network, for as long as a graph stands in for it",
    ("cli/callbacks/progress_bar.py", "_table_column"): "of columns that Lightning has made for this very bar",
}


def documentation(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def table() -> dict[str, list[str]]:
    """The rows of the table in docs/speed.md, by file."""
    section = (ROOT / "docs" / "speed.md").read_text().partition("## What is changed in other libraries\n")[2]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \|$", section.partition("\n## ")[0], re.MULTILINE)
    return {name: cells for name, *cells in rows}


@pytest.mark.parametrize("path", SHORTCUTS, ids=lambda path: path.stem)
def test_each_says_what_it_touches_and_how_it_is_off(path: Path) -> None:
    sentences = re.search(r"^Touches: (.+?)^Off: (.+)$", documentation(path), re.MULTILINE | re.DOTALL)
    assert sentences, f"{path.name} must say `Touches: ...` and `Off: ...` at the end of its docstring"
    assert re.search(r"(torch|transformers|Lightning)('s [\w ]+)? \(?\d\.\d+", sentences[1].replace("\n", " ")), (
        "of which version?"
    )
    listed = documentation(path.with_name("__init__.py"))
    assert f"`{path.stem}`" in listed


def test_the_page_lists_them_all() -> None:
    assert table().keys() == {path.name for path in SHORTCUTS} | {"cli/process.py"}
    for touched, why, off in table().values():
        assert touched.strip()
        assert why.strip()
        assert off.strip()


def is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_names(trees: list[ast.Module]) -> set[str]:
    """Names of private attributes that this package itself gives to its objects."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    set_in_methods = {node.attr for node in nodes if isinstance(node, ast.Attribute) and is_own(node.value)}
    targets = [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return set_in_methods | {target.id for target in targets if isinstance(target, ast.Name)}


def changes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Where a file sets, deletes or exchanges an attribute of something that is not its own, by line and name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and not is_own(node.value):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call):
            called, *arguments = map(ast.unparse, (node.func, *node.args))
            if called in ("setattr", "delattr") and arguments[0] != "self":
                yield node.lineno, arguments[1].strip("'")
            elif called in ("patch", "patch.object") and not arguments[0].startswith("vocabulary"):  # a file of ours
                yield node.lineno, "patch"


def test_nothing_is_changed_elsewhere() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    own = private_names(list(trees.values()))
    elsewhere = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, tree in trees.items()
        for line, name in changes(tree)
        if (path.relative_to(ROOT).as_posix(), name) not in EXCEPTIONS
        and (name in ("forward", "__class__", "patch") or (name.startswith("_") and name not in own))
    ]
    assert not elsewhere, "what is changed in other libraries belongs in modules/shortcuts/"
