"""What is wrong with a task of a suite is said before the first one is trained, and not when its turn comes."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError
from ..arguments import read_config, values_of
from .parsing import check_options
from .suite_results import Task

EXAMPLE = "{config: mine.yaml, metrics: [accuracy]}"


def check_shape(arguments: Sequence[str]) -> None:
    """Refuse tasks that are written as a mere file, or as a list: the parser would look for their class.

    Args:
        arguments: of a suite, whose `--config` are looked at as far as they can be read.

    Raises:
        InputError: with how the task is written.
    """
    for path in values_of(arguments, "config"):
        if (tasks := read_config(path).get("tasks")) is not None:
            _check_tasks(tasks)


def _check_tasks(tasks: Any) -> None:
    if not isinstance(tasks, dict):
        raise InputError(f"tasks is {_shown(tasks)}; a mapping of names would work: tasks: {{mine: {EXAMPLE}}}.")
    for name, task in tasks.items():
        also = task.get("also") if isinstance(task, dict) else None
        parts = {f"tasks.{name}": (name, task)}
        parts |= {f"tasks.{name}.also.{k}": (k, v) for k, v in also.items()} if isinstance(also, dict) else {}
        for key, (called, part) in parts.items():
            if not isinstance(part, dict):
                cure = f"{{config: {part}}}" if isinstance(part, str) else EXAMPLE
                raise InputError(f"{key} is {_shown(part)}; a mapping would work: {called}: {cure}.")


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)[:100]


def check_metrics(name: str, task: Task, config: str) -> None:
    """Refuse metrics that no module of this package measures, where the task trains one of its modules.

    Args:
        name: of the task.
        task: whose metrics, and those of its other evaluations, are looked at.
        config: the path of its configuration.

    Raises:
        InputError: naming the nearest.
    """
    from ... import modules
    from ...modules.metrics.directions import SCORES
    from ...modules.metrics.text_scores import NAMES

    model = (yaml.safe_load(Path(config).read_text(encoding="utf-8")) or {}).get("model")
    kind = str(model.get("class_path") if isinstance(model, dict) else model)
    if kind.removeprefix("pretune.modules.") not in modules.__all__:  # one of the user's own measures what it likes
        return
    known = sorted({*SCORES, *NAMES})
    for part in task.parts(name).values():
        for metric in part.metrics:
            if metric not in known and not any(metric.endswith(f"_{score}") for score in known):
                close = get_close_matches(metric, known, n=1)
                raise InputError(
                    f"tasks.{name}: nothing measures {metric!r}{f' (did you mean {close[0]}?)' if close else ''}; "
                    f"there are: {', '.join(known)}."
                )


def check_task(name: str, configs: Sequence[str], arguments: Sequence[str]) -> None:
    """Read the options of a task, and do nothing with them: the parser says which cannot be read.

    Args:
        name: of the task.
        configs: paths, or YAML.
        arguments: that follow them.

    Raises:
        InputError: if they cannot be read, with the parser's message, which begins with the task.
    """
    try:
        check_options([*(f"--config={config}" for config in configs), *arguments])
    except InputError as error:
        raise type(error)(f"The task {name}: {error}") from error
