"""Signals at random moments: saved, said, the exit code true, and the resumed run ends in the same weights."""

from __future__ import annotations

import signal

from forked import start
from killing import disturbed
from material import choose, fit, is_whole
from trial import Outcome, Trial, crudeness, last_line

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def interrupt(trial: Trial) -> Outcome:
    """Interrupts a fit and resumes it."""
    name, number = choose(trial.rng), trial.rng.choice(SIGNALS)
    trial.note(name)
    baseline = trial.material.baselines[name]
    trial.material.prepare(trial.folder)
    stopped = disturbed(trial.rng, baseline, number, trial, list(fit(name)), "stopped.txt")
    said = stopped.said
    if stopped.code == 0:  # it came too late
        if "Stopped by" in said:
            return trial.outcome("rough", "stopped with code 0")
        result = trial.judge(baseline, stopped)
        if result.verdict == "right" and "Training stopped: trainer.max_steps" not in said:
            return trial.outcome("rough", "the signal was not heeded")
        return result
    if stopped.code != 128 + number:
        return trial.outcome("rough", f"code {stopped.code}: {last_line(said)}")
    if crude := crudeness(said):
        return trial.outcome("rough", crude)
    for checkpoint in trial.folder.rglob("*.ckpt"):
        if not is_whole(checkpoint):
            return trial.outcome("lost", f"{checkpoint.name} is damaged")
    if "is saved in" in said and not list(trial.folder.rglob("last.ckpt")):
        return trial.outcome("lost", "no last.ckpt, where one is said to be saved")
    resumed = start([*fit(name), "--ckpt_path=last"], trial.folder, log="resumed.txt")
    resumed.wait()
    return trial.judge(baseline, resumed)
