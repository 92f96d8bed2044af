"""Charts for a page: lines and bars, each with its numbers in a table beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from markupsafe import Markup

from ...text.visible import visible
from .page import TEMPLATES, environment
from .svg import INK, SERIES, inline_svg, new_figure

STYLES = {"line": "-", "dashed": "--", "points": "", "dotted": ":"}
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Beside the color: lines are told apart without it, too."""
MOST_ROWS = 60
"""Of the table beside a chart; of more, evenly spread ones are shown."""
MOST_MARKED = 40
"""Points of a line that get a marker each."""
MOST_POINTS = 400
"""Of a line: as many as can be told apart; of more, evenly spread ones are drawn."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: in the legend and in the table.
        x: where it is known.
        y: what it is there.
        style: how it is drawn.
        color: place among the six colors, from 0.
        tabled: whether the table has it.
        low: the lower ends of intervals around `y`, if there are any.
        high: the upper ends.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["line", "dashed", "points", "dotted"] = "line"
    color: int = 0
    tabled: bool = True
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Bar:
    """A bar of a chart.

    Args:
        name: beside it.
        value: its length.
        low: the lower end of an interval around it, if there is one.
        high: the upper end.
        note: what the table says beside it.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def lines(
    title: str,
    description: str,
    series: Sequence[Line],
    x: str,
    y: str,
    *,
    marks: Sequence[tuple[float, str]] = (),
    x_log: bool = False,
    y_range: tuple[float, float] | None = None,
    height: float = 3.0,
) -> Markup:
    """Return a chart of lines, as a figure with its table.

    Args:
        title: what it shows.
        description: what is to be seen, in words, for who does not see it.
        series: the lines; those without a finite point are left out.
        x: what the horizontal axis is of.
        y: what the vertical axis is of.
        marks: vertical lines, with their names.
        x_log: a logarithmic horizontal axis.
        y_range: of the vertical axis; null fits it.
        height: in inches, of a figure five inches wide.
    """
    drawn = [line for line in map(_finite, series) if len(line.x)]
    with new_figure(height) as figure:
        axis = figure.subplots()
        for line in drawn:
            _draw(axis, line)
        for place, name in marks:
            axis.axvline(place, color=INK, linestyle=":", linewidth=1.2, label=_cut(name))
        axis.set_xlabel(_cut(x, 56))
        axis.set_ylabel(_cut(y, 36))
        axis.grid(linewidth=0.6)
        if x_log:
            from matplotlib.ticker import NullFormatter, StrMethodFormatter

            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))  # its own is set in mathematics
            axis.xaxis.set_minor_formatter(NullFormatter())
        if y_range is not None:
            axis.set_ylim(*y_range)
        if len(axis.get_legend_handles_labels()[1]) > 1:
            axis.legend()
        picture = inline_svg(figure, title, description)
    return _figure(title, picture, *_table(drawn, x))


def bars(title: str, description: str, entries: Sequence[Bar], value: str, *, start: float = 0.0) -> Markup:
    """Return a chart of horizontal bars, as a figure with its table.

    Args:
        title: what it shows.
        description: what is to be seen, in words, for who does not see it.
        entries: the bars, from above; those whose value is not finite are left out.
        value: what their length is.
        start: where they begin.
    """
    shown = [bar for bar in entries if math.isfinite(bar.value)]
    with new_figure(0.9 + 0.26 * len(shown)) as figure:
        axis = figure.subplots()
        places = range(len(shown))
        axis.barh(places, [bar.value - start for bar in shown], left=start, color=SERIES[0], height=0.62)
        for place, bar in enumerate(shown):
            if bar.low is not None and bar.high is not None:
                axis.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1.4, marker="|", markersize=6)
        axis.set_yticks(places, [_cut(bar.name) for bar in shown])
        axis.set_ylim(len(shown) - 0.5, -0.5)
        axis.set_xlabel(_cut(value, 56))
        axis.grid(axis="x", linewidth=0.6)
        axis.set_axisbelow(True)
        picture = inline_svg(figure, title, description)
    intervals, notes = any(bar.low is not None for bar in shown), any(bar.note for bar in shown)
    names = ["group", value, *(["95% interval"] if intervals else []), *(["note"] if notes else [])]
    rows = [
        [bar.name, f"{bar.value:.4g}", *([_between(bar)] if intervals else []), *([bar.note] if notes else [])]
        for bar in shown
    ]
    return _figure(title, picture, names, rows)


def _draw(axis: Any, line: Line) -> None:
    color, few = SERIES[line.color % len(SERIES)], len(line.x) <= MOST_MARKED
    marker = MARKERS[line.color % len(MARKERS)] if few and line.style != "points" else ""
    style: dict[str, Any] = {"linestyle": STYLES[line.style], "marker": marker, "markersize": 3.5, "linewidth": 1.6}
    if line.style == "points":
        style |= {"marker": ".", "markersize": 3, "alpha": 0.45, "linestyle": "none"}
    x, y = _spread(line.x, MOST_POINTS), _spread(line.y, MOST_POINTS)
    if len(line.low) and len(line.high):
        axis.vlines(line.x, line.low, line.high, color=color, linewidth=1)
    axis.plot(x, y, color=color, label=_cut(line.name), **style)


def _finite(line: Line) -> Line:
    kept = [i for i, (x, y) in enumerate(zip(line.x, line.y, strict=True)) if math.isfinite(x) and math.isfinite(y)]
    if len(kept) == len(line.x):
        return line
    columns: dict[str, Any] = {name: getattr(line, name) for name in ("x", "y", "low", "high")}
    chosen: dict[str, Any] = {n: [values[i] for i in kept] for n, values in columns.items() if len(values)}
    return replace(line, **chosen)


def _table(series: Sequence[Line], x: str) -> tuple[list[str], list[list[str]]]:
    tabled = [line for line in series if line.tabled]
    values = [dict(zip(line.x, line.y, strict=True)) for line in tabled]
    places = sorted({place for known in values for place in known})
    rows = [
        [f"{p:,.6g}", *(f"{known[p]:.4g}" if p in known else "" for known in values)]
        for p in _spread(places, MOST_ROWS)
    ]
    return [x, *(line.name for line in tabled)], rows


def _spread(values: Sequence[float], most: int) -> Sequence[float]:
    """At most so many of the values, with the first and the last."""
    if len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def _figure(title: str, picture: Markup, names: list[str], rows: list[list[str]]) -> Markup:
    template = environment(str(TEMPLATES)).get_template("figure.html")
    return Markup(template.render(title=title, picture=picture, names=names, rows=rows))


def _between(bar: Bar) -> str:
    return "" if bar.low is None or bar.high is None else f"{bar.low:.4g} to {bar.high:.4g}"


def _cut(name: str, most: int = 24) -> str:
    """A name as there is room for it in a picture; the table beside it has it whole."""
    name = " ".join(visible(name).split())
    return name if len(name) <= most else f"{name[: most - 1]}…"
