"""Pages that open from the disk: every value escaped, no script, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...storage.atomic_files import write_text
from ...text.visible import visible

TEMPLATES = Path(__file__).with_name("templates")
"""`page.html`, which others extend, and `parts.html`, whose macros they use."""


def render_page(template: str, folder: str | Path, *, title: str, language: str = "en", **values: Any) -> str:
    """Return a whole page.

    What a template prints is escaped, and its control characters (also those that turn the order of letters around)
    are shown as their codes, unless it is `Markup`.

    Args:
        template: a file that extends `page.html`.
        folder: where it lies.
        title: of the window, and above all.
        language: of the page's own words, as HTML's `lang`.
        values: for the template.
    """
    return environment(str(folder)).get_template(template).render(title=title, language=language, **values)


def write_page(path: str | Path, html: str) -> None:
    """Write a page that readers see whole: the old one or the new one.

    Args:
        path: of the file; its folder is made if missing.
        html: the page.

    Raises:
        OSError: that names the file.
    """
    write_text(path, html)


@cache
def environment(folder: str) -> Environment:
    """Return what renders the templates of a folder, with those of this room beside them."""
    environment = Environment(
        loader=FileSystemLoader([folder, str(TEMPLATES)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters.update(whole=_whole, short=_short, percent=_percent)
    return environment


def _harmless(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _whole(value: float | None) -> str:
    """A count, with commas."""
    return "" if value is None else f"{value:,.0f}"


def _short(value: Any) -> Any:
    """A number with four digits that count; anything else as it is."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}%"
