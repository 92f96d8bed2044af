"""Pictures of a search: the range test, and the trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

MOST_TICKS = 4
"""Values that are marked one by one."""


def _figure(rows: int, columns: int) -> Any:
    # Here: importing takes half a second. Not pyplot, which keeps figures and a backend for the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * columns, 3.4 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_range_test(rates: list[float], losses: list[float], proposed: float | None, path: Path) -> None:
    """Draw the loss over the rate, and what is proposed.

    Args:
        rates: in rising order.
        losses: at each.
        proposed: a rate, or None.
        path: of the PNG.
    """
    figure = _figure(1, 2)
    axis = figure.subplots()
    axis.plot(rates[: len(losses)], losses[: len(rates)])
    if proposed is not None:
        axis.axvline(proposed, color="tab:red", linestyle=":", label=f"proposed: {proposed:.2g}")
        axis.legend()
    axis.set_xscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel("training loss, smoothed")
    axis.grid(alpha=0.25)
    figure.savefig(path, format="png")


def draw_search(rows: list[dict[str, Any]], names: list[str], monitor: str, mode: str, path: Path) -> None:
    """Draw the trials' scores in turn, with the best so far, and over each option.

    Args:
        rows: of the trials: `trial`, `score` (None where there is none) and the options.
        names: of the options.
        monitor: what the score is.
        mode: whether a lower (`min`) or a higher one (`max`) is better.
        path: of the PNG.
    """
    from matplotlib.ticker import MaxNLocator

    done = [row for row in rows if row["score"] is not None]
    better = min if mode == "min" else max
    columns = min(3, len(names) + 1)
    figure = _figure(-(-(len(names) + 1) // columns), columns)
    axes = figure.subplots(-(-(len(names) + 1) // columns), columns, squeeze=False).flatten()
    axes[0].plot([row["trial"] for row in done], [row["score"] for row in done], "o", label="trials")
    so_far = [better(row["score"] for row in done[: i + 1]) for i in range(len(done))]
    axes[0].step([row["trial"] for row in done], so_far, where="post", color="tab:red", label="best so far")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_xlabel("trial")
    axes[0].legend(fontsize="small")
    without = len(rows) - len(done)
    figure.suptitle(f"{len(rows)} trials" + (f", of which {without} pruned or failed (not shown)" if without else ""))
    for axis, name in zip(axes[1:], names, strict=False):
        values: list[Any] = [row.get(name) for row in done]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        axis.plot(values if numbers else [str(v) for v in values], [row["score"] for row in done], "o", alpha=0.6)
        if numbers and len(set(values)) <= MOST_TICKS < len(values):  # choices rather than a range
            axis.set_xticks(sorted(set(values)), [f"{v:g}" for v in sorted(set(values))])
        elif numbers and values and min(values) > 0 and max(values) / min(values) > 5:
            axis.set_xscale("log")
        axis.tick_params(axis="x", labelsize="small", rotation=20)
        axis.set_xlabel(name)
    for axis in axes[: len(names) + 1]:
        axis.set_ylabel(monitor)
        axis.grid(alpha=0.25)
    for axis in axes[len(names) + 1 :]:
        axis.set_visible(False)
    figure.savefig(path, format="png")
