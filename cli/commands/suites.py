"""Several tasks with several seeds in one command: `python main.py suite --config configs/suites/glue.yaml`."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from ...checkpoints import find_checkpoint, versions
from ...contracts import module_facts
from ...errors import InputError, input_error
from ...storage.paths import local_folder
from ...storage.plain_files import read_json, read_yaml
from ..arguments import check_name, read_config, values_of
from ..stop_signals import Interrupted
from ..terminal import say
from .one_run import run_alone
from .suite_checks import check_metrics, check_shape, check_task
from .suite_results import Part, Scores, Task, format_predictions, merit, pack, tabulate

SHAPELESS = re.compile(r"trainer\.(enable_|logger|log_every)|data\.(num_workers|cache_dir)")
"""Options that do not shape a run."""


@dataclass
class Suite:
    """Trains every task with every seed, evaluates the best weights, and writes one table and a submission.

    Further options of `fit` (--model.backbone X, --trainer.max_steps 100, ...) hold for every task. What is done is
    kept below FOLDER/NAME/TASK/seed_N and skipped when the command is given again; a run that was killed goes on from
    its last checkpoint; one whose options have changed starts anew. A task that fails does not stop the others. A run
    uses one device; with several, run seeds side by side (--seeds 1, --seeds 2), then all of them for the table.

    Args:
        name: of the suite.
        tasks: what to train and measure, by name.
        seeds: of heads, dropout and the order of rows: one run of each task for each. `1,2,3` on the command line.
        overrides: laid over every task's configuration.
        split: what the table shows; tests need public labels.
        predict: whether to predict the test splits, with the seed that is best, and to write the submission.
        folder: below which everything is written.
    """

    name: str
    tasks: dict[str, Task]
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    overrides: dict[str, Any] = field(default_factory=dict)
    split: Literal["validation", "test"] = "validation"
    predict: bool = True
    folder: str = "runs"


def run_suite(args: Sequence[str]) -> dict[str, Any]:
    """Runs a suite.

    Args:
        args: what stands after `suite`.

    Returns:
        The results, as `results.json` has them.

    Raises:
        SystemExit: if a task failed, once the others are done.
    """
    from ..parser import HelpfulParser

    own, rest = divide(args)
    if not own:
        raise InputError("Nothing says what to run: give --config FILE, such as configs/suites/glue.yaml.")
    if single := next((path for path in values_of(own, "config") if "model" in read_config(path)), None):
        raise InputError(
            f"{single} is of one training: fit --config {single}. A suite is such as configs/suites/glue.yaml."
        )
    check_shape(own)
    description = (Suite.__doc__ or "").partition("\n\n    Args:")[0]
    parser: Any = HelpfulParser(prog="main.py suite", description=description)
    parser.add_argument("--config", action="config", help="A suite, such as configs/suites/glue.yaml; an overlay.")
    parser.add_class_arguments(Suite)
    config = parser.parse_args(own)
    places = [Path(str(path)).parent for path in config.config or []]
    suite = getattr(parser, "instantiate", parser.instantiate_classes)(config)  # the name before jsonargparse 4.49
    options = {key: suite[key] for key in Suite.__dataclass_fields__}
    return Runner(Suite(**options), [*places, Path(__file__).parents[2] / "configs", Path()], rest).run()


def divide(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The suite's own arguments, and those that go to every `fit`."""
    own: list[str] = []
    rest: list[str] = []
    name = ""
    for arg in args:
        if arg.startswith("-"):
            name = re.split(r"[=.]", arg.lstrip("-"))[0]
        if name == "seeds":
            arg = re.sub(r"^(--seeds=)?(\d[\d,]*)$", r"\1[\2]", arg)
        (own if name in ("config", "help", "h", *Suite.__dataclass_fields__) else rest).append(arg)
    return own, rest


class Runner:
    """One call of a suite.

    Args:
        suite: what to do.
        places: folders that configurations are looked for in.
        arguments: of every `fit`.
    """

    def __init__(self, suite: Suite, places: list[Path], arguments: list[str]) -> None:
        self.suite, self.places, self.arguments = suite, places, arguments
        self.root = Path(local_folder(suite.folder, "folder"), check_name(suite.name))
        self.failures: dict[str, str] = {}
        for name in suite.tasks:
            check_name(name)
        for part in [part for name, task in suite.tasks.items() for part in task.parts(name).values()]:
            self.locate(part.config)  # before anything is trained
        for name, task in suite.tasks.items():
            check_metrics(name, task, self.locate(task.config))

    def run(self) -> dict[str, Any]:
        """Everything that is not done; then the table and the submission."""
        for name, task in self.suite.tasks.items():
            overrides = merged(self.suite.overrides, task.overrides)
            check_task(name, [self.locate(task.config), json.dumps(overrides)], self.arguments)
        tasks, done = self.suite.tasks, {name: dict[int, Scores]() for name in self.suite.tasks}
        for seed in self.suite.seeds:
            for name in tasks:
                if (found := self.attempt(f"{name}, seed {seed}", self.one, name, seed)) is not None:
                    done[name][seed] = found
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
            raise SystemExit(f"error: {len(self.failures)} failed, the rest is done: {'; '.join(self.failures)}.")
        return results

    def report(self, done: dict[str, dict[int, Scores]]) -> dict[str, Any]:
        """Writes what is done so far as results.json and results.md."""
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
        """What `work` returns, or None and a line in the report if it fails."""
        try:
            return work(*args)
        except SystemExit as error:
            if isinstance(error, Interrupted):
                raise
            why = str(error.code).removeprefix("error: ") if isinstance(error.code, str) else "see above"
        except Exception as error:
            why = str(input_error(error) or f"{type(error).__name__}: {error}")
        self.failures[what] = why
        say(f"{what} failed: {why}")
        return None

    # ------------------------------------------------------------------ one run

    def locate(self, config: str) -> str:
        """The path of a configuration, wherever it lies."""
        found = next((place / config for place in self.places if os.path.isfile(place / config)), None)
        if found is None:
            raise InputError(f"There is no configuration {config} in: {', '.join(map(str, self.places))}.")
        return str(found)

    def command(self, verb: str, name: str, seed: int, part: Part | None = None) -> Any:
        """Runs a command on a run; part: what to evaluate."""
        home, task = self.root / name / f"seed_{seed}", self.suite.tasks[name]
        configs = [self.locate(task.config), str(home / "overrides.yaml")]
        configs += [self.locate(part.config)] if part not in (None, task) else []
        chosen = "last" if verb == "fit" else "best"
        resumed = verb != "fit" or any(find_checkpoint(version, "last") for version in versions(home))
        gc.collect()  # a model is part of cycles: the one before would still hold memory of the device
        return run_alone(
            [verb, "--trainer.devices=1"]
            + [f"--config={config}" for config in configs]
            + self.arguments
            + [f"--name={home.name}", f"--trainer.default_root_dir={home.parent}"]
            + ([f"--ckpt_path={chosen}"] if resumed else [])
        )

    def options(self, name: str, seed: int) -> dict[str, Any]:
        """Everything that shapes a run, by dotted name."""
        task = self.suite.tasks[name]
        config = read_yaml(self.locate(task.config)) or {}
        out = {"seed": seed, **flat(config), **flat(self.suite.overrides), **flat(task.overrides)}
        key = ""
        for arg in self.arguments:
            if arg.startswith("--"):
                key, _, arg = arg[2:].partition("=")
            out[key] = arg
        out = {key.replace(".init_args", ""): value for key, value in sorted(out.items())}
        return {key: value for key, value in out.items() if not SHAPELESS.match(key)}

    def one(self, name: str, seed: int) -> Scores:
        """Trains and evaluates, unless that was done."""
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
        if not state["trained"]:
            say(f"\n{name}, seed {seed}")
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
                found = {key.removeprefix(prefix): float(value) for key, value in measured.items()}
                if missing := [metric for metric in part.metrics if metric not in found]:
                    raise InputError(f"{', '.join(missing)} is not measured; there are: {', '.join(sorted(found))}.")
                scores[part_name] = found
                write(home / "result.json", state)
        return scores

    def modes(self, name: str, seed: int) -> dict[str, str]:
        """Whether the metrics of a run should fall or rise, as far as its module said."""
        found: dict[str, str] = read(self.root / name / f"seed_{seed}" / "result.json").get("modes", {})
        return found

    def submit(self, name: str, seed: int) -> None:
        """Predicts the test splits of a task with one of its runs, unless that was done."""
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


def aside(home: Path) -> Path:
    """Renames a folder that is no longer wanted; returns its new name."""
    old = next(p for i in range(1, 10**6) if not (p := home.with_name(f"{home.name}_old_{i}")).exists())
    home.rename(old)
    return old


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves by dotted name."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return out


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """One configuration laid over another."""
    trees = {k for k in below.keys() & above.keys() if isinstance(below[k], dict) and isinstance(above[k], dict)}
    return {**below, **above, **{key: merged(below[key], above[key]) for key in trees}}


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote; empty if nothing."""
    found = read_json(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def write(path: Path, content: dict[str, Any]) -> None:
    """JSON (which is YAML too), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
