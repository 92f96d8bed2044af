"""Random kills: the resumed run ends in the same weights."""

from __future__ import annotations

import os
import signal
from random import Random

from forked import Action, Command, FileEvents, start
from material import Baseline, choose, fit
from trial import Outcome, Trial


def disturbed(rng: Random, baseline: Baseline, number: int, trial: Trial, args: list[str], log: str) -> Command:
    """Runs a command, and sends it a signal at a random moment: after so much computing, or before a change of a file.

    Returns:
        The command, ended.
    """
    name = signal.Signals(number).name
    if rng.random() < 0.5:
        event = rng.randint(1, baseline.events)
        trial.note(f"{name} before change {event} of a file")
        before: Action = FileEvents(event, lambda: os.kill(os.getpid(), number)).install
        command = start(args, trial.folder, before, log)
    else:
        moment = rng.uniform(0, baseline.computed)
        trial.note(f"{name} after {moment:.2f} s")
        command = start(args, trial.folder, log=log)
        command.at(moment, lambda: os.kill(command.pid, number))
    command.wait()
    return command


def kill(trial: Trial) -> Outcome:
    """Kills a fit, sometimes its resumption too, and resumes it."""
    name = choose(trial.rng)
    trial.note(name)
    baseline = trial.material.baselines[name]
    trial.material.prepare(trial.folder)
    args = list(fit(name))
    for attempt in range(trial.rng.choice((1, 1, 2))):
        disturbed(trial.rng, baseline, signal.SIGKILL, trial, args, f"killed-{attempt}.txt")
        args = [*fit(name), "--ckpt_path=last"]
    resumed = start(args, trial.folder, log="resumed.txt")
    resumed.wait()
    return trial.judge(baseline, resumed)
