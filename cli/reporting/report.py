"""The report of a run, or of several side by side: one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path

from ..pages import render_page, write_page
from ..run_files import PAGE
from .run import Run
from .section import TEMPLATES, Section
from .sections import of_one, side_by_side


class Report:
    """A page about runs, which a notebook shows as it is.

    Args:
        runs: one, or several that are to be compared.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)

    @property
    def title(self) -> str:
        """Of the page."""
        return self.runs[0].name if len(self.runs) == 1 else f"{len(self.runs)} runs side by side"

    @cached_property
    def html(self) -> str:
        """The page.

        Raises:
            InputError: if a file of a run is damaged.
        """
        sections: list[Section] = of_one(self.runs[0]) if len(self.runs) == 1 else side_by_side(self.runs)
        return render_page("report.html", TEMPLATES, title=self.title, sections=sections, runs=self.runs)

    def save(self, path: str | Path | None = None) -> Path:
        """Write the page, whole or not at all.

        Args:
            path: of the file; null: `report.html` in the folder of a single run, else in the working folder.

        Returns:
            Where it is.
        """
        home = self.runs[0].folder if len(self.runs) == 1 else Path()
        target = Path(path) if path is not None else home / PAGE
        write_page(target, self.html)
        return target

    def _repr_html_(self) -> str:
        """In a frame of its own: the page's style is not the notebook's."""
        return (
            f'<iframe title="{escape(self.title)}" srcdoc="{escape(self.html)}" sandbox '
            'style="width: 100%; height: 80vh; border: 0"></iframe>'
        )
