"""Several commands at once: each result is that of a command alone."""

from __future__ import annotations

from pathlib import Path

from forked import Command, start
from killing import disturbed
from material import choose, fit, history_of, weights_of
from namespaces import as_first_process
from trial import Outcome, Trial, crudeness, last_line, refused

KINDS = ("four starts", "one PID", "test during fit", "resumed twice")


def race(trial: Trial) -> Outcome:
    """Runs a race of one of four kinds."""
    kind, name = KINDS[trial.number % len(KINDS)], choose(trial.rng)
    trial.note(f"{name}, {kind}")
    trial.material.prepare(trial.folder)
    return {"four starts": _four, "one PID": _one_pid, "test during fit": _looking_on, "resumed twice": _twice}[kind](
        trial, name
    )


def _together(commands: list[Command]) -> None:
    for command in commands:  # who ends sooner waits for being asked
        command.wait()


def _judge(trial: Trial, name: str, command: Command, runs: list[Path], expected: int) -> Outcome:
    """Whether a command went well, and there are as many runs as should be, each as a command alone makes it."""
    baseline = trial.material.baselines[name]
    if command.code != 0:
        return trial.outcome("lost", f"{command.log.name}, code {command.code}: {last_line(command.said)}")
    if crude := crudeness(command.said):
        return trial.outcome("rough", crude)
    whole = [run for run in runs if (run / "export/model.safetensors").is_file()]
    if len(whole) != expected or len(runs) != expected:
        return trial.outcome("lost", f"{len(whole)} whole runs of {len(runs)}, instead of {expected}")
    for run in whole:
        if weights_of(run) != baseline.weights:
            return trial.outcome("silent", f"other weights in {run.name}")
        if history_of(run) != baseline.history:
            return trial.outcome("silent", f"another history in {run.name}")
    return trial.outcome("right")


def _worst(outcomes: list[Outcome]) -> Outcome:
    return next((outcome for outcome in outcomes if outcome.verdict != "right"), outcomes[0])


def _four(trial: Trial, name: str) -> Outcome:
    commands = [start(fit(name), trial.folder, log=f"start-{i}.txt") for i in range(4)]
    _together(commands)
    runs = sorted(trial.folder.glob("runs/run/version_*"))
    return _worst([_judge(trial, name, command, runs, 4) for command in commands])


def _one_pid(trial: Trial, name: str) -> Outcome:
    """Two containers that share a cache, each with its own runs."""
    commands = []
    for i in range(2):
        other = [f"--trainer.default_root_dir=container-{i}"]
        before = lambda: as_first_process(lambda: None)  # noqa: E731
        commands.append(start([*fit(name), *other], trial.folder, before, log=f"container-{i}.txt"))
    _together(commands)
    if any("no namespaces for processes" in command.said for command in commands):
        return trial.outcome("impossible")
    outcomes = []
    for i, command in enumerate(commands):
        runs = sorted(trial.folder.glob(f"container-{i}/run/version_*"))
        if any('"pid": 1,' not in (run / ".writer.json").read_text() for run in runs):
            return trial.outcome("impossible", "the processes have other numbers than 1")
        outcomes.append(_judge(trial, name, command, runs, 1))
    return _worst(outcomes)


def _looking_on(trial: Trial, name: str) -> Outcome:
    """A second terminal scores the run while it trains."""
    files = "corpus.txt" if name == "pretrain" else "reviews.csv"
    training = start(fit(name), trial.folder, log="fit.txt")
    training.at(trial.rng.uniform(0.2, 0.9) * trial.material.baselines[name].computed, lambda: None)
    looking = []
    for i in range(2):
        args = ["test", *fit(name)[1:], f"--data.test_files={files}"]
        looking.append(start(args, trial.folder, log=f"test-{i}.txt"))
        looking[-1].wait()
    training.wait()
    runs = sorted(trial.folder.glob("runs/run/version_*"))
    for command in looking:  # before there is a checkpoint, it says so
        if command.code != 0 and not refused(command):
            return trial.outcome("rough", f"test ended with {command.code}: {last_line(command.said)}")
        if crude := crudeness(command.said):
            return trial.outcome("rough", f"test: {crude}")
    return _judge(trial, name, training, runs, 1)


def _twice(trial: Trial, name: str) -> Outcome:
    """A run that was killed is resumed in two terminals: one goes on, the other is told."""
    baseline = trial.material.baselines[name]
    disturbed(trial.rng, baseline, 9, trial, list(fit(name)), "killed.txt")
    began = sorted(trial.folder.glob("runs/run/version_*/checkpoints/last.ckpt"))
    again = [start([*fit(name), "--ckpt_path=last"], trial.folder, log=f"again-{i}.txt") for i in range(2)]
    _together(again)
    good = [command for command in again if command.code == 0]
    for command in again:
        if command not in good and not refused(command):
            return trial.outcome("rough", f"code {command.code}: {last_line(command.said)}")
    if not good:
        return trial.outcome("lost", last_line(again[0].said))
    runs = [run for run in sorted(trial.folder.glob("runs/run/version_*")) if (run / "export").is_dir()]
    return _judge(trial, name, good[0], runs, 1 if began else len(runs))
