"""Whether a metric should fall or rise, asked of the metric itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torchmetrics import Metric, MetricCollection

Direction = Literal["min", "max"]

SCORES: dict[str, Direction] = {
    **dict.fromkeys(("loss", "perplexity", "word_perplexity", "bits_per_byte", "mse"), "min"),
    **dict.fromkeys(("accuracy", "f1", "f1_micro", "f1_tuned", "f1_weighted", "f1_binary", "mcc"), "max"),
    **dict.fromkeys(("pearson", "spearman", "precision", "recall", "exact_match"), "max"),
    **dict.fromkeys(("has_answer_exact_match", "has_answer_f1", "no_answer_accuracy"), "max"),
}
"""What the modules of this suite measure, while a module's metrics are not yet made; then the metrics are asked."""


def named_directions(names: Iterable[str], parts: Iterable[str]) -> dict[str, Direction]:
    """Return the directions of metrics by name: `val/accuracy`, or `val/mlm_accuracy` of a part called `mlm`."""
    directions: dict[str, Direction] = {}
    for name in names:
        last = name.rpartition("/")[2]
        known = {last, *(last.removeprefix(f"{part}_") for part in parts)} & SCORES.keys()
        if known:
            directions[name] = SCORES[min(known)]
    return directions


def direction_of(metric: Metric) -> Direction | None:
    """Return what a metric says of itself (`higher_is_better`); None where it says nothing."""
    better = metric.higher_is_better
    return None if better is None else "max" if better else "min"


def directions_of(metrics: Mapping[str, Any]) -> dict[str, Direction]:
    """Return the directions of metrics and collections; a collection's are named as it logs them."""
    directions: dict[str, Direction] = {}
    for name, metric in metrics.items():
        if isinstance(metric, MetricCollection):
            directions |= directions_of(dict(metric.items(keep_base=False, copy_state=False)))
        elif (direction := direction_of(metric)) is not None:
            directions[name] = direction
    return directions


def redirect(callback: Callback, monitor: str, direction: Direction) -> None:
    """Make early stopping or a checkpoint go by a metric, as if it had been made so; before it has seen any."""
    if isinstance(callback, EarlyStopping):
        if callback.mode != direction:
            callback.min_delta = -callback.min_delta
        callback.monitor, callback.mode = monitor, direction
        callback.best_score = torch.tensor(torch.inf if direction == "min" else -torch.inf)
    elif isinstance(callback, ModelCheckpoint):
        callback.monitor, callback.mode = monitor, direction
        callback.kth_value = torch.tensor(torch.inf if direction == "min" else -torch.inf)
