"""A figure of matplotlib as part of a page: text stays text, colors are the page's, and it is said in words, too."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from markupsafe import Markup, escape

from ...text.visible import visible

# Colors that nothing else has: each is replaced by a variable of the page's style, which knows light and dark.
INK, LINE, SURFACE = "#0a0b0c", "#0a0b0d", "#0a0b0e"
SERIES = tuple(f"#0a0c0{place}" for place in range(1, 7))
VARIABLES = {INK: "--ink", LINE: "--line", SURFACE: "--surface"} | {
    color: f"--series-{place}" for place, color in enumerate(SERIES, 1)
}
WIDTH = 5.0
"""Inches of a figure: at 72 points an inch as wide as a telephone, so that its text can be read there."""
STYLE: Any = {  # its keys are literals to a type checker of the newest matplotlib alone
    "svg.fonttype": "none",  # the browser's fonts, which have all scripts
    "text.parse_math": False,  # a dollar is a dollar
    "font.size": 9,
    "font.family": "DejaVu Sans",  # by which widths are measured: it comes with matplotlib
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "legend.facecolor": SURFACE,
    "legend.edgecolor": LINE,
    "legend.framealpha": 0.85,
    "legend.fontsize": 8,
}
_numbers = count(1)


@contextmanager
def new_figure(height: float = 3.0, width: float = WIDTH) -> Iterator[Any]:
    """Give a figure in the page's style; it is to be drawn, and made HTML of, within the context.

    Args:
        height: in inches.
        width: in inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has it
        yield Figure(figsize=(width, height), layout="constrained")


def inline_svg(figure: Any, title: str, description: str) -> Markup:
    """Return a figure as an SVG element that a screen reader reads the title and the description of.

    Args:
        figure: of `new_figure`.
        title: what it shows.
        description: what is to be seen there, in words.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    name = f"chart{next(_numbers)}"
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', text)  # several charts are in one page
    text = re.sub(r'(?:xlink:)?href="#([^"]*)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for color, variable in VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    head = f'<title id="{name}-title">{_said(title)}</title><desc id="{name}-desc">{_said(description)}</desc>'
    named = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    return Markup(f"<svg {named} {box[0] if box else ''}>{head}{body}</svg>")


def _said(text: str) -> Markup:
    return escape(visible(text))
