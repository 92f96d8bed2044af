"""What a suite consists of, and what comes out: a table over tasks and seeds, and the files of a submission."""

from __future__ import annotations

import json
import statistics
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..terminal import say

Scores = dict[str, dict[str, float]]
"""Metrics of each part of a task."""


@dataclass
class Part:
    """One evaluation of a task's model.

    Args:
        config: a configuration: a path from the suite's file, from `configs/`, or from here. In `also`, an overlay.
        metrics: names without prefix, such as `accuracy`; several count as their mean. None: it is only predicted.
        submission: the file of the submission that takes the predictions of the test split, .tsv or .json.
        spelling: how the submission spells a label.
        range: that numbers are clipped to in the submission.
    """

    config: str
    metrics: list[str] = field(default_factory=list)
    submission: str | None = None
    spelling: dict[str, str | int] | None = None
    range: tuple[float, float] | None = None


@dataclass
class Task(Part):
    """One training, and what is measured.

    Args:
        overrides: laid over the configuration, of the same shape as one.
        also: further evaluations of the same model by name, such as MNLI's other genres.
        average: whether it counts in the average.
    """

    overrides: dict[str, Any] = field(default_factory=dict)
    also: dict[str, Part] = field(default_factory=dict)
    average: bool = True

    def parts(self, name: str) -> dict[str, Part]:
        """Return all evaluations by name."""
        return {name: self, **self.also}


def mean_score(name: str, task: Task, scores: Scores) -> float:
    """Return a task's score: the mean over its parts of the means over their metrics."""
    return statistics.mean(statistics.mean(scores[n][m] for m in part.metrics) for n, part in measured(name, task))


def measured(name: str, task: Task) -> list[tuple[str, Part]]:
    """Return the evaluations of a task that have metrics; none of a task that is only trained and predicted."""
    return [(part_name, part) for part_name, part in task.parts(name).items() if part.metrics]


def merit(name: str, task: Task, scores: Scores, modes: dict[str, str]) -> float:
    """Return what the best seed of a task has most of: its score, negative where it should fall; 0 where there is none.

    Args:
        name: of the task.
        task: what is measured.
        scores: of one seed.
        modes: of each metric, whether it should fall (`min`) or rise (`max`); those that are not there rise.
    """
    if not measured(name, task):
        return 0.0
    signed = {n: {m: -v if modes.get(m) == "min" else v for m, v in part.items()} for n, part in scores.items()}
    return mean_score(name, task, signed)


def summary(values: dict[int, float]) -> dict[str, Any]:
    """Return mean and (sample) standard deviation over seeds."""
    numbers = list(values.values())
    mean = statistics.mean(numbers) if numbers else None
    return {"seeds": values, "mean": mean, "std": statistics.stdev(numbers) if len(numbers) > 1 else None}


def tabulate(
    tasks: dict[str, Task], seeds: Sequence[int], done: dict[str, dict[int, Scores]]
) -> tuple[dict[str, Any], list[str]]:
    """Return means and standard deviations over seeds, of each metric and of the average over tasks.

    Args:
        tasks: by name.
        seeds: the average is over those with which every task is done.
        done: of each task, the scores with each seed so far.

    Returns:
        All of it as a dictionary, and as the lines of a Markdown table.
    """
    results: dict[str, Any] = {"tasks": {}}
    lines = ["| task | metric | mean ± standard deviation | seeds |", "|---|---|---|---|"]
    for name, task in tasks.items():
        for part_name, part in task.parts(name).items():
            for metric in part.metrics:
                summarized = summary({seed: scores[part_name][metric] for seed, scores in done[name].items()})
                results["tasks"].setdefault(part_name, {})[metric] = summarized
                lines.append(f"| {part_name} | {metric} | {_cells(summarized)} |")
    scored = [name for name, task in tasks.items() if measured(name, task)]
    counted = {name: task for name, task in tasks.items() if task.average and name in scored}
    whole = [seed for seed in seeds if counted and all(seed in done[name] for name in counted)]
    means = {s: statistics.mean(mean_score(name, task, done[name][s]) for name, task in counted.items()) for s in whole}
    results["average"] = {"over": list(counted), **summary(means)}
    out = [name for name in scored if name not in counted]
    if counted:
        lines += [
            f"| average | | {_cells(results['average'])} |",
            "",
            f"The average is over {', '.join(counted)}; the metrics of each were averaged first, then its parts."
            + (f" It leaves out {', '.join(out)}." if out else ""),
        ]
    if unscored := [name for name in tasks if name not in scored]:
        lines += ["", f"Trained and not scored, without `metrics`: {', '.join(unscored)}."]
    return results, lines


def _cells(summarized: dict[str, Any]) -> str:
    if summarized["mean"] is None:
        return "- | none"
    spread = f" ± {100 * summarized['std']:.2f}" if summarized["std"] is not None else ""
    return f"{100 * summarized['mean']:.2f}{spread} | {', '.join(map(str, summarized['seeds']))}"


def format_predictions(file: Path, part: Part) -> str:
    """Return a run's predictions as the submission wants them.

    Args:
        file: of the predictions. One in their benchmark's own form, which some tasks write beside it
            (`predictions.json`), is taken as it is.
        part: says which file it is for, and how labels are spelled.
    """
    if (official := file.with_suffix(".json")).is_file():
        return official.read_text(encoding="utf-8")
    with file.open(encoding="utf-8") as rows:
        return "".join(_lines((json.loads(row)["prediction"] for row in rows), part))


def _lines(predictions: Iterator[Any], part: Part) -> Iterator[str]:
    """Return GLUE's tab-separated lines, or CLUE's JSON."""
    table = str(part.submission).endswith(".tsv")
    if table:
        yield "index\tprediction\n"
    for index, prediction in enumerate(predictions):
        label = prediction
        if isinstance(prediction, float):
            low, high = part.range or (prediction, prediction)
            label = f"{min(max(prediction, low), high):.3f}"
        elif part.spelling is not None:
            label = str(part.spelling[prediction])
        yield f"{index}\t{label}\n" if table else json.dumps({"id": index, "label": label}, ensure_ascii=False) + "\n"


def pack(folder: Path, tasks: dict[str, Task]) -> None:
    """Zip the submission's files beside their folder; of a suite without any, there is none."""
    parts = [part for name, task in tasks.items() for part in task.parts(name).values()]
    files = [folder / part.submission for part in parts if part.submission]
    if not files:
        return
    written = [file for file in files if file.is_file()]
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        for file in written:
            archive.write(file, file.name)
    missing = ", ".join(file.name for file in files if file not in written)
    say(f"Submission: {folder.with_suffix('.zip')}" + (f", without {missing}" if missing else ""))
