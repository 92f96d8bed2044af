"""The picture of a run: its losses, their gap and the monitored metric over the steps."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from ..learning_curves import Curves, Points

TRAIN_COLOR, VALIDATION_COLOR, KEPT_COLOR = "tab:blue", "tab:red", "0.25"


def draw_curves(curves: Curves, path: str | Path, title: str, caption: str = "", kept: int | None = None) -> None:
    """Write a PNG.

    Args:
        curves: what is drawn.
        path: of the file; a picture that is there already is replaced at once.
        title: above all.
        caption: below it, in small print.
        kept: the step whose weights are kept, marked by a line.
    """
    # Here: importing takes half a second. Not pyplot, which keeps figures and a backend for the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    rows = 2 if curves.train_metric or curves.validation_metric else 1
    figure = Figure(figsize=(9, 1.6 + 3.2 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    _draw_losses(axes[0], curves)
    if rows == 2:
        _line(axes[1], curves.train_metric, TRAIN_COLOR, "train, mean of an epoch", "o--")
        _line(axes[1], curves.validation_metric, VALIDATION_COLOR, "validation", "o-")
        axes[1].set_ylabel((curves.metric or "").removeprefix("val/"))
    for axis in axes:
        if kept is not None:
            axis.axvline(kept, color=KEPT_COLOR, linestyle=":", label=f"weights kept: step {kept:,}")
        axis.grid(alpha=0.25)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize="small", framealpha=0.8)
    axes[-1].set_xlabel("optimizer step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    figure.suptitle("\n".join(textwrap.wrap(title, 90)), fontsize="medium", fontweight="bold")
    axes[0].set_title("\n".join(textwrap.wrap(caption, 130)), fontsize="small", loc="left")
    unfinished = Path(path).with_suffix(".tmp")
    figure.savefig(unfinished, format="png")
    unfinished.replace(path)


def _draw_losses(axis: Any, curves: Curves) -> None:
    axis.plot(*_xy(curves.losses), ".", color=TRAIN_COLOR, alpha=0.4, markersize=4, markeredgewidth=0)
    _line(axis, curves.smoothed, TRAIN_COLOR, "train, smoothed", "-")
    _line(axis, curves.validation, VALIDATION_COLOR, "validation", "o-")
    if curves.gap:
        label = f"gap, at the end {curves.gap[-1][1]:+.3g}"
        first, last = curves.validation[0][0], curves.validation[-1][0]
        steps, lower = _xy([(step, loss) for step, loss in curves.smoothed if first <= step <= last])
        axis.fill_between(
            steps, lower, np.interp(steps, *_xy(curves.validation)), color="0.5", alpha=0.18, linewidth=0, label=label
        )
    axis.set_ylabel("loss")
    shown = [value for points in (curves.smoothed, curves.validation) for _, value in points if abs(value) < 1e30]
    if shown:  # single batches may lie far outside
        low, high = min(shown), max(shown)
        room = max(0.25 * (high - low), 0.02 * abs(high), 1e-6)
        axis.set_ylim(low - room, high + room)


def _line(axis: Any, points: Points, color: str, label: str, style: str) -> None:
    if points:
        axis.plot(*_xy(points), style, color=color, markersize=4, linewidth=1.6, label=label)


def _xy(points: Points) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]
