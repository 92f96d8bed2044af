"""An inspection as a page of its own."""

from __future__ import annotations

from pathlib import Path

from ..pages import render_page
from .figures import batch_line, counted, counts_line, histogram, label_counts, row_line, shared_lines
from .inspection import Inspection
from .signs import LEGEND, signed

MOST_TOKENS = 4_000
"""Of a text."""
TEMPLATES = Path(__file__).with_name("templates")


def page_of(seen: Inspection) -> str:
    """Return the page.

    Args:
        seen: what it shows.
    """
    rows = [
        (
            row_line(row.facts, row.length, row.targets),
            [(text.name, list(signed(text, MOST_TOKENS))) for text in row.texts],
        )
        for row in seen.rows
    ]
    surveys = [
        (
            f"{name}: {counted(survey.rows, survey.unit)}",
            survey,
            histogram(survey),
            label_counts(survey),
            shared_lines(name, survey),
        )
        for name, survey in seen.surveys.items()
    ]
    return render_page(
        "inspect.html",
        TEMPLATES,
        title=seen.title,
        seen=seen,
        rows=rows,
        surveys=surveys,
        legend=[entry for entry in LEGEND if entry[0] in seen.styles],
        counts=counts_line(seen),
        batch=batch_line(seen.batch),
    )
