"""The metrics that two runs are compared by, over arrays of labels and predictions; and which of them suits."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...storage.cells import listed
from ...text.answers import score, scoring_of
from ...text.tags import spans_of
from .compared_labels import is_tag
from .significance import Metric

OF_LISTS = ("entity_f1", "tag_accuracy", "micro_f1")
OF_ANSWERS = ("exact_match", "answer_f1")


def _listed(value: Any) -> list[Any] | None:
    """Return the list that an entry of a column is; None for a label that only begins as one, such as `[MASK]`."""
    entry = listed(value)
    return entry if isinstance(entry, list) else None


def guess(gold: np.ndarray, predicted: np.ndarray) -> str:
    """Return the metric that suits: lists are tags of words where they are of one length, else sets of labels."""
    if predicted.dtype == np.float64:
        return "pearson"
    if gold.dtype == object:
        return "answer_f1"
    pairs = [(_listed(one), _listed(other)) for one, other in zip(gold, predicted, strict=True)]
    if not all(one is not None and other is not None for one, other in pairs):
        return "accuracy"
    if all(is_tag(tag) for _, other in pairs for tag in other or []):
        return "entity_f1"
    return "tag_accuracy" if all(len(one or []) == len(other or []) for one, other in pairs) else "micro_f1"


def check(metric: str, gold: np.ndarray, predicted: np.ndarray, label: str, path: Path) -> None:
    """Refuse labels and predictions that are not of the kind that a metric takes, or never agree.

    Args:
        metric: one of `METRICS`.
        gold: what is right.
        predicted: what was predicted.
        label: the column of what is right.
        path: the file that both are from.

    Raises:
        InputError: naming what would work.
    """
    if metric in ("pearson", "spearman", "mse"):
        if gold.dtype != np.float64 or predicted.dtype != np.float64:
            raise InputError(f"{metric} compares numbers, and {label!r} or the predictions are none.")
        if not np.isfinite(gold).all() or not np.isfinite(predicted).all():
            raise InputError(f"{label!r} or the predictions hold what is no finite number: nothing follows from it.")
    elif metric in OF_ANSWERS:
        if gold.dtype != object:
            raise InputError(f"{metric} needs answers as SQuAD has them, and {label!r} holds something else.")
    elif gold.dtype == object:
        raise InputError(
            f"{metric} compares labels, and {label!r} holds answers: {' or '.join(OF_ANSWERS)} would work."
        )
    elif metric in OF_LISTS and not all(_listed(v) is not None for v in (*gold, *predicted)):
        raise InputError(f"{metric} compares lists, and {label!r} or the predictions are none.")
    elif not _parts(gold) & _parts(predicted):
        raise InputError(
            f"{path}: no prediction is ever equal to a label: {label!r} holds {_some(gold)}, predicted is "
            f"{_some(predicted)}. Name the column with --label."
        )


def _some(values: np.ndarray) -> str:
    """Return the first few of what occurs."""
    return ", ".join(str(value)[:100] for value in sorted(set(values.tolist()))[:5])


def _parts(values: np.ndarray) -> set[Any]:
    """Return all labels that occur, in lists or alone."""
    entries = ((value, _listed(value)) for value in values.tolist())
    return {part for value, inner in entries for part in ([value] if inner is None else map(str, inner))}


def _accuracy(gold: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(gold == predicted))


def _confusion(gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    names, numbers = np.unique(np.concatenate((gold, predicted)), return_inverse=True)
    pairs = numbers[: len(gold)] * len(names) + numbers[len(gold) :]
    return np.bincount(pairs, minlength=len(names) ** 2).reshape(len(names), -1).astype(float)


def _mcc(gold: np.ndarray, predicted: np.ndarray) -> float:
    table = _confusion(gold, predicted)
    right, rows, columns, n = np.trace(table), table.sum(1), table.sum(0), table.sum()
    below = np.sqrt((n**2 - rows @ rows) * (n**2 - columns @ columns))
    return float((right * n - rows @ columns) / below) if below else 0.0


def _f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    table = _confusion(gold, predicted)
    return float(np.mean(2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1)))


def _pearson(gold: np.ndarray, predicted: np.ndarray) -> float:
    if gold.std() == 0 or predicted.std() == 0:
        return 0.0
    return float(np.corrcoef(gold, predicted)[0, 1])


def _spearman(gold: np.ndarray, predicted: np.ndarray) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(gold), rankdata(predicted))


def _answers(place: int) -> Metric:
    def metric(gold: np.ndarray, predicted: np.ndarray) -> float:
        return float(
            np.mean([_answer(json.dumps(a["text"]), str(t))[place] for a, t in zip(gold, predicted, strict=True)])
        )

    return metric


@cache
def _answer(golds: str, text: str) -> tuple[float, float]:
    known = json.loads(golds)
    return score(text, known, scoring_of(known))


def _tags(gold: np.ndarray, predicted: np.ndarray) -> float:
    pairs = [(listed(one), listed(other)) for one, other in zip(gold, predicted, strict=True)]
    right = sum(a == b for one, other in pairs for a, b in zip(one, other, strict=False))
    return float(right / max(1, sum(len(one) for one, _ in pairs)))


def _sets(read: Callable[[str], frozenset[Any]]) -> Metric:
    """Return F1 over all members of the rows' sets."""

    def metric(gold: np.ndarray, predicted: np.ndarray) -> float:
        pairs = [(read(one), read(other)) for one, other in zip(gold, predicted, strict=True)]
        both = sum(len(one & other) for one, other in pairs)
        return 2 * both / max(1, sum(len(one) + len(other) for one, other in pairs))

    return metric


@cache
def _labels(text: str) -> frozenset[Any]:
    return frozenset(one if isinstance(one, str | int | float) else json.dumps(one) for one in listed(text))


@cache
def _entities(text: str) -> frozenset[Any]:
    return frozenset(spans_of(list(map(str, listed(text)))))


def _mse(gold: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean((gold - predicted) ** 2))


METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "mcc": _mcc,
    "pearson": _pearson,
    "spearman": _spearman,
    "mse": _mse,
    "entity_f1": _sets(_entities),
    "tag_accuracy": _tags,
    "micro_f1": _sets(_labels),
    "exact_match": _answers(0),
    "answer_f1": _answers(1),
}
LOWER_IS_BETTER = ("mse",)
"""Of these; the others are better when higher."""
