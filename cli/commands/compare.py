"""Whether one run is really better than another: `python main.py compare RUN_A RUN_B`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, NoReturn

import numpy as np

from ...errors import InputError
from ...storage.cells import listed
from ...storage.plain_files import read_json, read_yaml
from ...text.answers import score, scoring_of
from ...text.tags import detect, spans_of
from ...text.visible import visible
from ..terminal import say
from .prediction_tables import MADE, comparable, predictions, runs_of, same, written_by
from .significance import Metric, interval, mcnemar, paired_bootstrap
from .validation_scores import compare_validation, spread

LABELS = (
    *("label", "labels", "coarse_label", "category", "class", "sentiment", "target", "stars", "score", "answers"),
    *("ner_tags", "tags", "pos_tags", "upos", "pos"),
)


OF_LISTS = ("entity_f1", "tag_accuracy", "micro_f1")
OF_ANSWERS = ("exact_match", "answer_f1")


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong. The other verbs' parser knows their classes, and therefore torch."""

    def error(self, message: str) -> NoReturn:
        """Exits with 2."""
        options = ", ".join(action.option_strings[-1] for action in self._actions if action.option_strings)
        self.exit(2, f"error: {message}; the options are: {options}.\n")


def run_compare(args: Sequence[str]) -> dict[str, Any]:
    """Compares two runs, or two folders of seeds: by predictions on the same labeled rows, else by validation scores.

    Predictions lie in `predictions.jsonl` or `predictions.csv` of each run, written by `predict --data.predict_files
    FILE`; a folder of `fit --seeds` needs them in each seed's run. Where neither side has any, the seeds' scores on
    validation are compared; of one folder alone, their mean, spread and number are told. Runs of one configuration that
    differ in their seed count as seeds, however they were started.

    Args:
        args: what stands after `compare`.

    Returns:
        Scores of both, difference, interval and p values, as printed.
    """
    parser = Parser("main.py compare", allow_abbrev=False, description=(run_compare.__doc__ or "").partition("\n\n")[0])
    parser.add_argument("first", help="A run folder, or a folder of seeds.")
    parser.add_argument("second", nargs="?", help="The other; without it, the first is described.")
    parser.add_argument(
        "--metric", choices=METRICS, metavar="METRIC", help=f"One of {', '.join(METRICS)} (default: guessed)."
    )
    parser.add_argument("--label", help="The column of what is right (default: guessed).")
    parser.add_argument("--resamples", type=int, default=10_000, help="Of the bootstrap (default: %(default)s).")
    given = parser.parse_args(list(args))
    return compare(given.first, given.second, given.metric, given.label, given.resamples)


def compare(
    first: str,
    second: str | None = None,
    metric: str | None = None,
    label: str | None = None,
    resamples: int = 10_000,
) -> dict[str, Any]:
    """The comparison as a function.

    Args:
        first: a run folder, or a folder of seeds.
        second: the other; null describes the first by its scores on validation.
        metric: one of `METRICS`; null guesses.
        label: the column of what is right; null guesses.
        resamples: of the bootstrap.

    Raises:
        InputError: if predictions or labels are missing, or the rows are not the same.
    """
    if second is None or not any(any(map(written_by, runs_of(run))) for run in (first, second)):
        return compare_validation(first, second, metric)
    wanted = [label] if label else [name for name in LABELS if name not in MADE]
    sides = [predictions(first, wanted), predictions(second, wanted)]
    rows = sides[0][0][1]
    usual = sorted((name for name in LABELS if name in rows[0]), key=MADE.__contains__)  # answers rather than a score
    label = label or next(iter(usual), None)
    if label is None or label not in rows[0]:
        missing = f"has no column {label!r}" if label else "has no column that is known to hold labels"
        there = ", ".join(name for name in rows[0] if name not in MADE)
        raise InputError(
            f"{sides[0][0][0]} {missing}; it has: {there}. Predict labeled rows, and name the column with --label."
        )
    if resamples < 1:
        raise InputError(f"--resamples is {resamples}; a whole number of at least 1 would work, such as 10000.")
    for place, row in enumerate(rows):
        if label not in row:
            raise InputError(f"Row {place + 1} of {sides[0][0][0]} has no {label!r}: every row needs its label.")
    for side in sides:
        for path, other in side:
            same(rows, other, sides[0][0][0], path)
    names = names_of(sides[0][0][0].parent)
    guesses = [[column([row["prediction"] for row in answered]) for _, answered in side] for side in sides]
    labels = [named(listed(row[label]), names) for row in rows]
    if guesses[0][0].dtype == np.float64:
        labels = [number(value) for value in labels]
    elif all(isinstance(row["prediction"], list) and all(map(_is_tag, row["prediction"])) for row in rows):
        labels = in_iob2(labels, label)
    gold = column(labels)
    metric = metric or guess(gold, guesses[0][0])
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}; there are: {', '.join(METRICS)}.")
    check(metric, gold, guesses[0][0], label)
    found: dict[str, Any] = {
        "metric": metric,
        **paired_bootstrap(gold, guesses[0], guesses[1], METRICS[metric], resamples),
    }
    if max(map(len, guesses)) > 1:
        each = [[METRICS[metric](gold, one) for one in side] for side in guesses]
        found["sides"] = [{"mean": fmean(v), "std": interval(v)["std"], "n": len(v)} for v in each]
    if metric == "accuracy" and all(len(side) == 1 for side in guesses):
        found["mcnemar"] = mcnemar(guesses[0][0] == gold, guesses[1][0] == gold)
    say(visible(report(found, first, second, len(gold), [len(side) for side in guesses])))
    return found


def report(found: dict[str, Any], first: str, second: str, examples: int, seeds: list[int]) -> str:
    """What is printed."""
    a, b = (100 * value for value in found["scores"])
    low, high, gap = (100 * found[key] for key in ("low", "high", "difference"))
    over = f"{examples:,} examples" + (f", {seeds[0]} and {seeds[1]} seeds" if max(seeds) > 1 else "")
    falls = found["metric"] in LOWER_IS_BETTER
    points = (low, high) if gap >= 0 else (-high, -low)
    better = second if (gap >= 0) is not falls else first
    real = low > 0 or high < 0
    lines = [
        f"{found['metric']} x 100 over {over}: {a:.2f} ({first}), {b:.2f} ({second}).",
        f"Difference {gap:+.2f}, 95% interval {low:+.2f} to {high:+.2f}, p = {found['p']:.4f} (paired bootstrap).",
    ]
    for name, side in zip((first, second), found.get("sides", ()), strict=False):
        scaled = {key: None if side[key] is None else 100 * side[key] for key in ("mean", "std")}
        lines.append(f"{name}: {spread({**scaled, 'n': side['n']}, 2)}.")
    if "mcnemar" in found:
        lines.append(f"McNemar's exact test: p = {found['mcnemar']:.4f}.")
    if gap == 0:
        lines.append("Neither is better.")
    elif real:
        lines.append(f"{better} is better by {abs(gap):.1f} points ({points[0]:.1f} to {points[1]:.1f}): that is real.")
    else:
        lines.append(f"{better} is ahead by {abs(gap):.1f} points, which could be chance.")
    if max(seeds) == 1:
        lines.append("One run on each side: whether another seed would tell the same, this cannot say (fit --seeds).")
    return "\n".join(lines)


# ---------------------------------------------------------------------- reading


def names_of(run: Path) -> dict[str, str]:
    """How a run's model names what files may hold as numbers, or under other names."""
    saved, exported = run / "config.yaml", run / "export" / "config.json"
    given: Any = read_yaml(saved) if saved.is_file() else None
    for name in ("data", "init_args", "label_names"):
        given = given.get(name) if isinstance(given, dict) else None
    if isinstance(given, dict):
        return {str(theirs): str(ours) for theirs, ours in given.items()}
    if isinstance(given, list):
        return {str(number): str(name) for number, name in enumerate(given)}
    config = read_json(exported) if exported.is_file() else {}
    known = config.get("id2label") if isinstance(config, dict) else None
    numbered = {str(number): str(name) for number, name in known.items()} if isinstance(known, dict) else {}
    return {} if set(numbered.values()) & set(numbered) else numbered


def named(value: Any, names: dict[str, str]) -> Any:
    """A label, or a list of them, under the model's names."""
    if isinstance(value, list):
        return [named(one, names) for one in value]
    return names.get(str(value), value) if isinstance(value, str | int) else value


def in_iob2(values: list[Any], label: str) -> list[Any]:
    """Tags in the scheme that they are predicted in; other labels as they are."""
    if not all(isinstance(value, list) and all(isinstance(tag, str) for tag in value) for value in values):
        return values
    convention = detect(values)
    return [convention.read(f"row {number + 1}, {label}", value) for number, value in enumerate(values)]


def _is_tag(label: Any) -> bool:
    return label == "O" or str(label)[1:2] == "-"


def number(value: Any) -> Any:
    """A number that a table holds as text; anything else as it is."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def column(values: list[Any]) -> np.ndarray:
    """Values as an array that can be indexed by rows: of numbers, or of anything."""
    if all(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    found = np.empty(len(values), object)
    found[:] = [json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for v in values]
    if not all(_is_answers(value) for value in values):
        found[:] = [v if isinstance(v, str) else comparable(v) if isinstance(v, dict) else str(v) for v in found]
        found = found.astype(str)
    return found


def _is_answers(value: Any) -> bool:
    """Whether a value is of SQuAD's answers."""
    texts = value.get("text") if isinstance(value, dict) else None
    return isinstance(texts, list) and all(isinstance(text, str) for text in texts)


def _listed(value: Any) -> list[Any] | None:
    """The list that an entry of a column is; None for a label that only begins as one, such as `[MASK]`."""
    found = listed(value)
    return found if isinstance(found, list) else None


def guess(gold: np.ndarray, predicted: np.ndarray) -> str:
    """The metric that suits the labels; lists are tags of words where they are of one length, else several labels."""
    if predicted.dtype == np.float64:
        return "pearson"
    if gold.dtype == object:
        return "answer_f1"
    pairs = [(_listed(one), _listed(other)) for one, other in zip(gold, predicted, strict=True)]
    if not all(one is not None and other is not None for one, other in pairs):
        return "accuracy"
    if all(_is_tag(tag) for _, other in pairs for tag in other or []):
        return "entity_f1"
    return "tag_accuracy" if all(len(one or []) == len(other or []) for one, other in pairs) else "micro_f1"


def check(metric: str, gold: np.ndarray, predicted: np.ndarray, label: str) -> None:
    """Raises an `InputError` if labels and predictions are not of the kind that a metric takes, or never agree."""
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
            f"No prediction is ever equal to a label: {label!r} holds {_some(gold)}, predicted is {_some(predicted)}. "
            "Name the column with --label."
        )


def _some(values: np.ndarray) -> str:
    """The first few of what occurs."""
    return ", ".join(str(value)[:100] for value in sorted(set(values.tolist()))[:5])


def _parts(values: np.ndarray) -> set[Any]:
    """All labels that occur, in lists or alone."""
    found = ((value, _listed(value)) for value in values.tolist())
    return {part for value, inner in found for part in ([value] if inner is None else map(str, inner))}


# ---------------------------------------------------------------------- metrics


def _accuracy(gold: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean(gold == found))


def _confusion(gold: np.ndarray, found: np.ndarray) -> np.ndarray:
    names, numbers = np.unique(np.concatenate((gold, found)), return_inverse=True)
    pairs = numbers[: len(gold)] * len(names) + numbers[len(gold) :]
    return np.bincount(pairs, minlength=len(names) ** 2).reshape(len(names), -1).astype(float)


def _mcc(gold: np.ndarray, found: np.ndarray) -> float:
    table = _confusion(gold, found)
    right, rows, columns, n = np.trace(table), table.sum(1), table.sum(0), table.sum()
    below = np.sqrt((n**2 - rows @ rows) * (n**2 - columns @ columns))
    return float((right * n - rows @ columns) / below) if below else 0.0


def _f1(gold: np.ndarray, found: np.ndarray) -> float:
    table = _confusion(gold, found)
    return float(np.mean(2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1)))


def _pearson(gold: np.ndarray, found: np.ndarray) -> float:
    if gold.std() == 0 or found.std() == 0:
        return 0.0
    return float(np.corrcoef(gold, found)[0, 1])


def _spearman(gold: np.ndarray, found: np.ndarray) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(gold), rankdata(found))


def _answers(place: int) -> Metric:
    def metric(gold: np.ndarray, found: np.ndarray) -> float:
        return float(np.mean([_answer(json.dumps(a["text"]), str(t))[place] for a, t in zip(gold, found, strict=True)]))

    return metric


@cache
def _answer(golds: str, text: str) -> tuple[float, float]:
    known = json.loads(golds)
    return score(text, known, scoring_of(known))


def _tags(gold: np.ndarray, found: np.ndarray) -> float:
    pairs = [(listed(one), listed(other)) for one, other in zip(gold, found, strict=True)]
    right = sum(a == b for one, other in pairs for a, b in zip(one, other, strict=False))
    return float(right / max(1, sum(len(one) for one, _ in pairs)))


def _sets(read: Callable[[str], frozenset[Any]]) -> Metric:
    """F1 over all members of the rows' sets."""

    def metric(gold: np.ndarray, found: np.ndarray) -> float:
        pairs = [(read(one), read(other)) for one, other in zip(gold, found, strict=True)]
        both = sum(len(one & other) for one, other in pairs)
        return 2 * both / max(1, sum(len(one) + len(other) for one, other in pairs))

    return metric


@cache
def _labels(text: str) -> frozenset[Any]:
    return frozenset(one if isinstance(one, str | int | float) else json.dumps(one) for one in listed(text))


@cache
def _entities(text: str) -> frozenset[Any]:
    return frozenset(spans_of(list(map(str, listed(text)))))


def _mse(gold: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean((gold - found) ** 2))


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
