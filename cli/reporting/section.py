"""A part of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..pages.page import environment

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Args:
        title: its heading.
        body: what stands below it.
    """

    title: str
    body: Markup

    @property
    def anchor(self) -> str:
        """The name that links lead to."""
        return "".join(c if c.isascii() and c.isalnum() else "-" for c in self.title.lower())


def fill(template: str, **values: Any) -> Markup:
    """Return a template of the report, filled in.

    Args:
        template: a file of `templates/`.
        **values: what it takes.
    """
    return Markup(environment(str(TEMPLATES)).get_template(template).render(**values))
