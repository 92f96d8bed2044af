"""A suite carried out: every task with every seed, what is done kept, what fails told at the end."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from ...checkpoints import find_checkpoint, versions
from ...contracts import module_facts
from ...errors import InputError, input_error
from ...storage.paths import local_folder
from ...storage.plain_files import read_yaml
from ...text.progress import Rounds
from ..arguments import check_name, values_by_name
from ..terminal import say
from ..trackers import one_group
from .kept_results import aside, read, write
from .nested_options import flat, merged
from .one_run import run_alone
from .suite_checks import check_metrics, check_task
from .suite_results import Part, Scores, Task, format_predictions, merit, pack, tabulate

SHAPELESS = re.compile(r"logger|trainer\.(enable_|logger|log_every)|data\.(num_workers|cache_dir)")
"""Options that do not shape a run."""


@dataclass(kw_only=True)
class Suite:
    """Tasks to train with every seed, and what comes of them: one table and a submission.

    Args:
        config: where they are written, such as configs/suites/glue.yaml; a further --config is laid over it.
        name: of the suite.
        tasks: what to train and measure, by name.
        seeds: of heads, dropout and the order of rows: one run of each task for each. `1,2,3` on the command line.
        overrides: laid over every task's configuration.
        split: what the table shows; tests need public labels.
        predict: whether to predict the test splits, with the seed that is best, and to write the submission.
        folder: below which everything is written.
    """

    config: list[str] = field(default_factory=list, metadata={"metavar": "FILE"})
    name: str
    tasks: dict[str, Task]
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    overrides: dict[str, Any] = field(default_factory=dict)
    split: Literal["validation", "test"] = "validation"
    predict: bool = True
    folder: str = "runs"


class Runner:
    """Carry out a suite: what is not done yet, a run after another.

    Args:
        suite: what to do.
        places: folders that configurations are looked for in.
        arguments: of every `fit`.
    """

    def __init__(self, suite: Suite, places: list[Path], arguments: list[str]) -> None:
        self.suite, self.places, self.arguments = suite, places, arguments
        self.root = Path(local_folder(suite.folder, "folder"), check_name(suite.name))
        self.failures: dict[str, str] = {}
        self.rounds = Rounds(len(suite.tasks) * len(suite.seeds))
        for name in suite.tasks:
            check_name(name)
        for part in [part for name, task in suite.tasks.items() for part in task.parts(name).values()]:
            self.locate(part.config)  # before anything is trained
        for name, task in suite.tasks.items():
            check_metrics(name, task, self.locate(task.config))

    def run(self) -> dict[str, Any]:
        """Do everything that is not done; return the results once table and submission are written."""
        for name, task in self.suite.tasks.items():
            overrides = merged(self.suite.overrides, task.overrides)
            check_task(name, [self.locate(task.config), json.dumps(overrides)], self.arguments)
        tasks, done = self.suite.tasks, {name: dict[int, Scores]() for name in self.suite.tasks}
        for seed in self.suite.seeds:
            for name in tasks:
                if (scores := self.attempt(f"{name}, seed {seed}", self.one, name, seed)) is not None:
                    done[name][seed] = scores
                self.report(done)
        if self.suite.predict:
            for name in tasks:
                if done[name]:
                    task, modes = tasks[name], {seed: self.modes(name, seed) for seed in done[name]}
                    merits = {seed: merit(name, task, scores, modes[seed]) for seed, scores in done[name].items()}
                    self.attempt(f"{name}, predictions", self.submit, name, max(merits, key=merits.__getitem__))
            pack(self.root / "submission", tasks)
        results = self.report(done)
        say("\n" + (self.root / "results.md").read_text(encoding="utf-8"))
        if self.failures:
            raise InputError(f"{len(self.failures)} failed, the rest is done: {'; '.join(self.failures)}.")
        return results

    def report(self, done: dict[str, dict[int, Scores]]) -> dict[str, Any]:
        """Write what is done so far as results.json and results.md."""
        results, lines = tabulate(self.suite.tasks, self.suite.seeds, done)
        lines += [
            "",
            f"{self.suite.name} ({self.suite.split}), in %.",
            *(f"\nFailed: {k}: {v}" for k, v in self.failures.items()),
        ]
        results = {"name": self.suite.name, "split": self.suite.split, **results, "failed": self.failures}
        write(self.root / "results.json", results)
        (self.root / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return results

    def attempt(self, what: str, work: Callable[..., Any], *args: Any) -> Any:
        """Return what `work` returns, or None, with a line in the report, if it fails."""
        try:
            return work(*args)
        except Exception as error:
            why = str(input_error(error) or f"{type(error).__name__}: {error}")
        self.failures[what] = why
        say(f"{what} failed: {why}")
        return None

    # ------------------------------------------------------------------ one run

    def locate(self, config: str) -> str:
        """Return the path of a configuration, wherever it lies."""
        path = next((place / config for place in self.places if os.path.isfile(place / config)), None)
        if path is None:
            raise InputError(f"There is no configuration {config} in: {', '.join(map(str, self.places))}.")
        return str(path)

    def command(self, verb: str, name: str, seed: int, part: Part | None = None) -> Any:
        """Run a command on a run; part: what to evaluate."""
        home, task = self.root / name / f"seed_{seed}", self.suite.tasks[name]
        configs = [self.locate(task.config), str(home / "overrides.yaml")]
        configs += [self.locate(part.config)] if part not in (None, task) else []
        chosen = "last" if verb == "fit" else "best"
        resumed = verb != "fit" or any(find_checkpoint(version, "last") for version in versions(home))
        gc.collect()  # a model is part of cycles: the one before would still hold memory of the device
        with one_group(f"{self.suite.name}/{name}", Path(self.suite.folder)):
            return run_alone(
                [verb, "--trainer.devices=1"]
                + [f"--config={config}" for config in configs]
                + self.arguments
                + [f"--name={home.name}", f"--trainer.default_root_dir={home.parent}"]
                + ([f"--ckpt_path={chosen}"] if resumed else [])
            )

    def options(self, name: str, seed: int) -> dict[str, Any]:
        """Return everything that shapes a run, by dotted name."""
        task = self.suite.tasks[name]
        config = read_yaml(self.locate(task.config)) or {}
        out = {"seed": seed, **flat(config), **flat(self.suite.overrides), **flat(task.overrides)}
        out |= values_by_name(self.arguments)
        out = {key.replace(".init_args", ""): value for key, value in sorted(out.items())}
        return {key: value for key, value in out.items() if not SHAPELESS.match(key)}

    def one(self, name: str, seed: int) -> Scores:
        """Train and evaluate, unless that was done."""
        task, home, options = self.suite.tasks[name], self.root / name / f"seed_{seed}", self.options(name, seed)
        state = read(home / "result.json")
        if state and state["options"] != options:
            changed = [k for k in {**state["options"], **options} if state["options"].get(k) != options.get(k)]
            old = aside(home)
            say(f"{name}, seed {seed} starts anew: {', '.join(changed)} changed. The earlier run is now {old}.")
            state = {}
        if not state:
            state = {"options": options, "trained": False, "scores": {}}
            write(home / "result.json", state)
        seeds = {"seed_everything": seed, "data": {"init_args": {"seed": seed}}}
        overrides = merged(merged(seeds, self.suite.overrides), task.overrides)
        (home / "overrides.yaml").write_text(yaml.safe_dump(overrides, allow_unicode=True), encoding="utf-8")
        if state["trained"]:
            self.rounds.skip()
        else:
            say(f"\n{name}, seed {seed} ({self.rounds.next()})")
            self.command("fit", name, seed)
            state["trained"] = True
            write(home / "result.json", state)
        verb, prefix = ("validate", "val/") if self.suite.split == "validation" else ("test", "test/")
        scores: Scores = state["scores"].setdefault(self.suite.split, {})
        for part_name, part in task.parts(name).items():
            if any(metric not in scores.get(part_name, {}) for metric in part.metrics):
                cli = self.command(verb, name, seed, part)
                measured = cli.trainer.callback_metrics
                known = module_facts(cli.model).directions()
                state.setdefault("modes", {}).update({k.removeprefix(prefix): mode for k, mode in known.items()})
                values = {key.removeprefix(prefix): float(value) for key, value in measured.items()}
                if missing := [metric for metric in part.metrics if metric not in values]:
                    raise InputError(f"{', '.join(missing)} is not measured; there are: {', '.join(sorted(values))}.")
                scores[part_name] = values
                write(home / "result.json", state)
        return scores

    def modes(self, name: str, seed: int) -> dict[str, str]:
        """Return whether the metrics of a run should fall or rise, as far as its module said."""
        modes: dict[str, str] = read(self.root / name / f"seed_{seed}" / "result.json").get("modes", {})
        return modes

    def submit(self, name: str, seed: int) -> None:
        """Predict the test splits of a task with one of its runs, unless that was done."""
        for part in self.suite.tasks[name].parts(name).values():
            if part.submission is None:
                continue
            file, record = (self.root / folder / part.submission for folder in ("submission", "submission/sources"))
            source = {"task": name, "options": self.options(name, seed), "spelling": part.spelling}
            if not file.is_file() or read(record) != source:
                predictions = self.command("predict", name, seed, part).predictions
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(format_predictions(predictions, part), encoding="utf-8")
                write(record, source)
