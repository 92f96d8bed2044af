"""Whether one run is really better than another: `python main.py compare RUN_A RUN_B`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np

from ...errors import InputError
from ...storage.cells import listed
from ...text.visible import visible
from ..terminal import say
from ..verb_options import read_all_options
from .compare_metrics import LOWER_IS_BETTER, METRICS, check, guess
from .compared_files import check_answered, read_lines
from .compared_labels import column, in_iob2, is_tag, named, names_of, number
from .prediction_tables import MADE, predictions, runs_of, same, written_by
from .significance import interval, mcnemar, paired_bootstrap
from .validation_scores import compare_validation, spread

LABELS = (
    *("label", "labels", "coarse_label", "category", "class", "sentiment", "target", "stars", "score", "answers"),
    *("ner_tags", "tags", "pos_tags", "upos", "pos"),
)


@dataclass(frozen=True)
class CompareOptions:
    """What `compare` is asked.

    Args:
        first: a run folder, a folder of seeds, or a file of predictions.
        second: the other; without it, the first is described.
        metric: one of accuracy, f1, mcc, pearson, spearman, mse, entity_f1, tag_accuracy, micro_f1, exact_match and
            answer_f1; left out, guessed from the labels.
        label: the column of what is right; left out, guessed from its name.
        resamples: of the bootstrap.
    """

    first: str = field(metadata={"positional": True, "metavar": "RUN_A"})
    second: str | None = field(default=None, metadata={"positional": True, "metavar": "RUN_B"})
    metric: str | None = None
    label: str | None = field(default=None, metadata={"metavar": "COLUMN"})
    resamples: int = field(default=10_000, metadata={"metavar": "N"})


def run_compare(args: Sequence[str]) -> dict[str, Any]:
    """Compare two runs, or two folders of seeds: by predictions on the same labeled rows, else by validation scores.

    Predictions lie in `predictions.jsonl` or `predictions.csv` of each run, written by `predict --data.predict_files
    FILE`: of several files the newest with labels is read, or the one that is named in place of its run. A folder of
    `fit --seeds` needs them in each seed's run. Where neither side has any, the seeds' scores on validation are
    compared; of one folder alone, their mean, spread and number are told. Runs of one configuration that differ in
    their seed count as seeds, however they were started.

    Args:
        args: what stands after `compare`.

    Returns:
        Scores of both, difference, interval and p values, as printed.
    """
    options = read_all_options(CompareOptions, args)
    return compare(options.first, options.second, options.metric, options.label, options.resamples)


def compare(
    first: str,
    second: str | None = None,
    metric: str | None = None,
    label: str | None = None,
    resamples: int = 10_000,
) -> dict[str, Any]:
    """Return the comparison of two runs, and print it.

    Args:
        first: a run folder, a folder of seeds, or a file of predictions.
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
        columns = ", ".join(name for name in rows[0] if name not in MADE)
        raise InputError(
            f"{sides[0][0][0]} {missing}; it has: {columns}. Predict labeled rows, and name the column with --label."
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
    elif all(isinstance(row["prediction"], list) and all(map(is_tag, row["prediction"])) for row in rows):
        labels = in_iob2(labels, label)
    gold = column(labels)
    withheld = gold.dtype != object  # of questions no answer may be the right one
    if withheld:
        check_answered([table for side in sides for table in side])
    metric = metric or guess(gold, guesses[0][0])
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}; there are: {', '.join(METRICS)}.")
    for side, answers in zip(sides, guesses, strict=True):
        for (path, _), answered in zip(side, answers, strict=True):
            check(metric, gold, answered, label, path)
    results: dict[str, Any] = {
        "metric": metric,
        **paired_bootstrap(gold, guesses[0], guesses[1], METRICS[metric], resamples),
    }
    if max(map(len, guesses)) > 1:
        each = [[METRICS[metric](gold, one) for one in side] for side in guesses]
        results["sides"] = [{"mean": fmean(v), "std": interval(v)["std"], "n": len(v)} for v in each]
    if metric == "accuracy" and all(len(side) == 1 for side in guesses):
        results["mcnemar"] = mcnemar(guesses[0][0] == gold, guesses[1][0] == gold)
    told = report(results, first, second, len(gold), [len(side) for side in guesses])
    say(visible("\n".join([*read_lines([table for side in sides for table in side], withheld), told])))
    return results


def report(results: dict[str, Any], first: str, second: str, examples: int, seeds: list[int]) -> str:
    """Return what is printed."""
    a, b = (100 * value for value in results["scores"])
    low, high, gap = (100 * results[key] for key in ("low", "high", "difference"))
    over = f"{examples:,} examples" + (f", {seeds[0]} and {seeds[1]} seeds" if max(seeds) > 1 else "")
    falls = results["metric"] in LOWER_IS_BETTER
    points = (low, high) if gap >= 0 else (-high, -low)
    better = second if (gap >= 0) is not falls else first
    real = low > 0 or high < 0
    lines = [
        f"{results['metric']} x 100 over {over}: {a:.2f} ({first}), {b:.2f} ({second}).",
        f"Difference {gap:+.2f}, 95% interval {low:+.2f} to {high:+.2f}, p = {results['p']:.4f} (paired bootstrap).",
    ]
    for name, side in zip((first, second), results.get("sides", ()), strict=False):
        scaled = {key: None if side[key] is None else 100 * side[key] for key in ("mean", "std")}
        lines.append(f"{name}: {spread({**scaled, 'n': side['n']}, 2)}.")
    if "mcnemar" in results:
        lines.append(f"McNemar's exact test: p = {results['mcnemar']:.4f}.")
    if gap == 0:
        lines.append("Neither is better.")
    elif real:
        lines.append(f"{better} is better by {abs(gap):.1f} points ({points[0]:.1f} to {points[1]:.1f}): that is real.")
    else:
        lines.append(f"{better} is ahead by {abs(gap):.1f} points, which could be chance.")
    if max(seeds) == 1:
        lines.append("One run on each side: whether another seed would tell the same, this cannot say (fit --seeds).")
    return "\n".join(lines)
