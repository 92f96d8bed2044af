"""Flipped bits and cut files: noticed and said, made anew, or of no influence on the result."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

from forked import Command, FileEvents, start
from material import choose, fit
from trial import Outcome, Trial, crudeness, last_line, refused

KINDS = ("cache", "last.ckpt", "best.ckpt", "export", "records", "config", "data")


def damage(trial: Trial) -> Outcome:
    """Damages a file of a finished or half-finished run, and has it used."""
    kind, name = KINDS[trial.number % len(KINDS)], choose(trial.rng)
    trial.note(f"{name}, {kind}")
    return {"cache": _again, "data": _resumed, "last.ckpt": _resumed, "records": _resumed, "config": _scored,
            "best.ckpt": _scored, "export": _started_from}[kind](trial, kind, name)  # fmt: skip


def _hurt(trial: Trial, files: list[Path]) -> None:
    """Flips a bit of one of some files, or cuts it off."""
    path = trial.rng.choice(sorted(file for file in files if file.is_file() and file.stat().st_size))
    content = bytearray(path.read_bytes())
    place = trial.rng.randrange(len(content))
    if trial.rng.random() < 0.6:
        bit = trial.rng.randrange(8)
        content[place] ^= 1 << bit
        trial.note(f"bit {bit} of byte {place} of {path.relative_to(trial.folder)}")
    else:
        del content[place:]
        trial.note(f"{path.relative_to(trial.folder)} cut to {place} bytes")
    path.write_bytes(content)


def _again(trial: Trial, kind: str, name: str) -> Outcome:
    """The same training again, from a cache that is damaged."""
    trial.material.copy(name, trial.folder)
    shutil.rmtree(trial.folder / "runs")
    _hurt(trial, [path for path in (trial.folder / "cache").rglob("*") if path.is_file()])
    command = start(fit(name), trial.folder)
    command.wait()
    if refused(command):
        return trial.outcome("right")
    return trial.judge(trial.material.baselines[name], command)


def _resumed(trial: Trial, kind: str, name: str) -> Outcome:
    """A training goes on from its checkpoint, when something has changed meanwhile."""
    _halfway(trial, name)
    run = trial.folder / "runs/run/version_0"
    records = [run / "metrics.csv", run / "summary.json", run / ".writer.json", *run.glob("events.*")]
    data = ["corpus.txt"] if name == "pretrain" else ["reviews.csv", *_names(trial.folder / "backbone")]
    found = {"records": records, "last.ckpt": [run / "checkpoints/last.ckpt"], "data": [trial.folder / n for n in data]}
    _hurt(trial, found[kind])
    command = start([*fit(name), "--ckpt_path=last"], trial.folder, log="resumed.txt")
    command.wait()
    return _as_before(trial, name, command, strict=kind != "records")


def _as_before(trial: Trial, name: str, command: Command, strict: bool) -> Outcome:
    if crude := crudeness(command.said):
        return trial.outcome("rough", crude)
    if refused(command):
        return trial.outcome("right")
    result = trial.judge(trial.material.baselines[name], command)
    excused = _is_said(command.said) or (result.what.endswith("another history") and not strict)
    if result.verdict == "silent" and excused:
        return trial.outcome("right")
    return result


def _is_said(said: str) -> bool:
    words = ("damaged", "changed", "half-written", "is another", "not the same", "differ")
    return any(word in said for word in words)


def _scored(trial: Trial, kind: str, name: str) -> Outcome:
    """A finished training is scored by its best weights."""
    trial.material.copy(name, trial.folder)
    run = trial.folder / "runs/run/version_0"
    expected = _scores(trial, name)
    _hurt(trial, [run / "config.yaml"] if kind == "config" else [run / "checkpoints/best.ckpt"])
    command = start(_test(name), trial.folder)
    command.wait()
    if crude := crudeness(command.said):
        return trial.outcome("rough", crude)
    if refused(command):
        return trial.outcome("right")
    if command.code != 0:
        return trial.outcome("rough", f"code {command.code}: {last_line(command.said)}")
    if _score(run) != expected:
        return trial.outcome("silent", f"{_score(run)} instead of {expected}")
    return trial.outcome("right")


def _started_from(trial: Trial, kind: str, name: str) -> Outcome:
    """A training starts from an export, which the other one has left."""
    del name
    trial.material.prepare(trial.folder)
    _hurt(trial, [trial.folder / "backbone" / n for n in _names(trial.folder / "backbone")])
    command = start(fit("finetune"), trial.folder)
    command.wait()
    return _as_before(trial, "finetune", command, strict=True)


def _names(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "README.md"]


def _halfway(trial: Trial, name: str) -> None:
    """A training that was stopped in the middle; made once."""
    made = trial.root / f"halfway-{name}"
    if not made.is_dir():
        building = trial.root / f"halfway-{name}.building"
        shutil.rmtree(building, ignore_errors=True)
        trial.material.prepare(building)
        place = trial.material.baselines[name].events * 6 // 10
        event = FileEvents(place, lambda: os.kill(os.getpid(), signal.SIGTERM))
        command = start(fit(name), building, event.install)
        if command.wait() != 128 + signal.SIGTERM or not list(building.rglob("last.ckpt")):
            raise SystemExit(command.said)
        building.rename(made)
    shutil.copytree(made, trial.folder)


def _test(name: str) -> list[str]:
    files = "corpus.txt" if name == "pretrain" else "reviews.csv"
    return ["test", *fit(name)[1:], f"--data.test_files={files}", "--ckpt_path=best"]


def _scores(trial: Trial, name: str) -> dict[str, float]:
    """What `test` gives where nothing is damaged; asked once."""
    known = trial.root / f"scores-{name}.json"
    if not known.is_file():
        folder = trial.root / f"scores-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        trial.material.copy(name, folder)
        command = start(_test(name), folder)
        if command.wait() != 0:
            raise SystemExit(command.said)
        known.write_text(json.dumps(_score(folder / "runs/run/version_0")))
    found: dict[str, float] = json.loads(known.read_text())
    return found


def _score(run: Path) -> dict[str, float]:
    try:
        found = json.loads((run / "summary.json").read_text()).get("test", {})
    except ValueError:
        return {}
    return {name: value for name, value in found.items() if isinstance(value, float) and name.startswith("test/")}
