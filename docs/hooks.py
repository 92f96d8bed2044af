"""What the site adds to the pages of docs/: the README and its like, links that hold there, a look at docstrings."""

from __future__ import annotations

import logging
import posixpath
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / ".mypy_cache" / "docs"
"""Where links give the package its name, whatever the name of the clone's folder, and leave out what lies beside it."""
ELSEWHERE = {
    "index.md": "README.md",
    "zh.md": "README.zh-CN.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "results.md": "benchmarks/RESULTS.md",
}
"""Pages of the site whose text lies outside of docs/, where code hosts look for it."""
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
OBJECT = re.compile(r"^::: (\S+)$", re.MULTILINE)
log = logging.getLogger("mkdocs.hooks.pretune")


def on_startup(**_: Any) -> None:
    """Give the package its name; plugins look for it as soon as they are set up."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    folder = SOURCES / "pretune"
    folder.mkdir(parents=True)
    for path in [*ROOT.glob("*.py"), *(init.parent for init in ROOT.glob("[a-z]*/__init__.py"))]:
        (folder / path.name).symlink_to(path)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie elsewhere."""
    from mkdocs.structure.files import File

    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead the links of a page to the site, and look whether what it documents is documented."""
    pages = {file.src_uri for file in files.documentation_pages()}
    for name in OBJECT.findall(markdown):
        for what in undocumented(name):
            log.warning("%s: %s", page.file.src_uri, what)
    return site_links(markdown, page.file.src_uri, pages)


def site_links(markdown: str, page: str, pages: set[str]) -> str:
    """Return a page with links that lead to pages of the site.

    Args:
        markdown: the text, with links between files of the repository, which code hosts follow.
        page: its name on the site.
        pages: the names of all pages.

    Returns:
        The text; a link to a file that is no page has become plain text.
    """
    source = ELSEWHERE.get(page, f"docs/{page}")
    names = {ELSEWHERE.get(name, f"docs/{name}"): name for name in pages}

    def lead(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in names:
            return f"[{text}]({posixpath.relpath(names[path], posixpath.dirname(page) or '.')}{anchor})"
        outside = not path.startswith("docs/") and (ROOT / path).exists()
        return text if outside else match[0]

    pieces, at = [], 0
    for fence in FENCED.finditer(markdown):
        pieces += [LINK.sub(lead, markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*pieces, LINK.sub(lead, markdown[at:])])


@cache
def package() -> Any:
    """Return what griffe reads of the package: read, not imported."""
    import griffe

    return griffe.load("pretune", search_paths=[SOURCES], docstring_parser="google", resolve_aliases=True)


def undocumented(name: str) -> Iterator[str]:
    """Tell what a class or function leaves unsaid.

    Args:
        name: its import path.

    Yields:
        A sentence for each: no docstring, or a parameter that none speaks of.
    """
    import griffe

    found: Any = package()[name.removeprefix("pretune.")]
    found = found.final_target if found.is_alias else found
    if found.docstring is None:
        yield f"{name} has no docstring"
        return
    if not (found.is_class or found.is_function):
        return
    sections = [part for part in found.docstring.parse("google") if part.kind is griffe.DocstringSectionKind.parameters]
    told = {parameter.name.lstrip("*") for part in sections for parameter in part.value}
    for parameter in found.parameters:
        if parameter.name not in ("self", "cls") and parameter.name not in told:
            yield f"{name} does not document its parameter {parameter.name!r}"
