"""Signals and time limits: what was trained is saved, the exit code tells, and the run goes on as if nothing was."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

import pretune
from pretune.cli import pretune_cli as cli
from pretune.cli.slurm import SlurmJob
from pretune.cli.stop_signals import (
    SLURM_LIMIT,
    TIME_LIMIT,
    exit_code,
    handling_signals,
    name_of,
    requests,
    seconds_of,
)
from pretune.errors import InputError

Run = Callable[..., Any]
FIT = (
    "fit", "--model=MaskedLanguageModeling", "--model.learning_rate=1e-3", "--data=CorpusDataModule",
    "--data.train_files=corpus.txt", "--data.block_size=16", "--data.batch_size=8", "--trainer.precision=32-true",
    "--trainer.max_steps=24", "--trainer.val_check_interval=8", "--trainer.accumulate_grad_batches=2",
    "--early_stopping=null",
)  # fmt: skip


class Send(Callback):
    """Sends this process a signal before a batch of training or of validation."""

    def __init__(self, number: int, batch: int | None = None, validation: int | None = None, step: int = 8) -> None:
        self.number, self.batch, self.validation, self.step = number, batch, validation, step

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            os.kill(os.getpid(), self.number)

    def on_validation_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int, *args: Any) -> None:
        if trainer.global_step >= self.step and not trainer.sanity_checking and batch_idx == self.validation:
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def _hangups_are_heard() -> Iterator[None]:
    """Also where the tests themselves were started by nohup, which has SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def fit(corpus: Path, tokenizer_folder: Path, tiny: dict[str, Any]) -> tuple[str, ...]:
    return (
        *FIT,
        f"--model.backbone={json.dumps({'config': tiny, 'dropout': 0.1})}",
        f"--data.tokenizer={tokenizer_folder}",
    )


@pytest.fixture
def with_callbacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    usual = cli.PretuneCLI._callbacks

    def add(*callbacks: Callback) -> None:
        monkeypatch.setattr(cli.PretuneCLI, "_callbacks", lambda self: [*usual(self), *callbacks])

    yield add
    assert not requests.deferred


def stopped(run: Run, *args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        run(*args)
    assert isinstance(caught.value.code, int)
    return caught.value.code


SCRIPT = """
import os, signal, sys
from lightning.pytorch import Callback
from pretune.cli import pretune_cli as cli

class Send(Callback):
    def on_train_batch_start(self, trainer, *args):
        if trainer.fit_loop.epoch_loop.total_batch_idx == 4:
            {sends}

usual = cli.PretuneCLI._callbacks
cli.PretuneCLI._callbacks = lambda self: [*usual(self), Send()]
from pretune.main import main
main()
"""


def alone(sends: str, *args: str) -> tuple[int, str]:
    """Runs a command as a program of its own, in a group of its own; its exit code, and what it said."""
    Path("program.py").write_text(SCRIPT.format(sends=sends))
    places = {"PYTHONPATH": str(Path(pretune.__file__).parent.parent), "PRETUNE_KEEP_MEMORY": "0"}
    environment = {name: value for name, value in os.environ.items() if name not in ("PL_GLOBAL_SEED", "LOCAL_RANK")}
    done = subprocess.run(
        [sys.executable, "program.py", *args, "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"],
        env={**environment, **places}, capture_output=True, text=True, timeout=240, process_group=0,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def weights(name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(
        Path("runs", name, "version_0/checkpoints/last.ckpt"), weights_only=True
    )["state_dict"]
    return state


def validated(name: str) -> list[tuple[str, str]]:
    rows = csv.DictReader(Path("runs", name, "version_0/metrics.csv").read_text().splitlines())
    return [(row["step"], row["val/loss"]) for row in rows if row["val/loss"]]


PLACES: dict[str, tuple[signal.Signals, dict[str, int], int]] = {
    "in an accumulation window": (signal.SIGTERM, {"batch": 10}, 6),
    "in a step": (signal.SIGINT, {"batch": 11}, 6),
    "before a validation": (signal.SIGUSR1, {"batch": 15}, 8),
    "in a validation": (signal.SIGHUP, {"validation": 1}, 8),
    "at its end": (signal.SIGUSR2, {"batch": 46}, 24),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_stopped_run_goes_on_exactly(
    place: str, fit: tuple[str, ...], run: Run, with_callbacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    number, where, step = PLACES[place]
    whole = run(*fit, "--name=whole")
    assert whole.trainer.num_training_batches > 20
    with_callbacks(Send(number, **where))
    before = signal.getsignal(signal.SIGTERM)
    assert stopped(run, *fit, "--name=cut") == 128 + number
    assert signal.getsignal(signal.SIGTERM) == before
    folder = Path("runs/cut/version_0")
    said = capsys.readouterr().err
    assert f"Stopped by {number.name}: step {step} is saved in {folder}/checkpoints/last.ckpt" in said
    assert "--ckpt_path last" in said
    found = json.loads((folder / "summary.json").read_text())["fit"]
    assert (found["status"], found["stopped"]) == ("interrupted", f"{number.name} at step {step}.")
    assert torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["global_step"] == step
    with_callbacks()
    run(*fit, "--name=cut", "--ckpt_path=last")
    expected, after = weights("whole"), weights("cut")
    assert all(torch.equal(value, after[key]) for key, value in expected.items())
    assert json.loads((folder / "summary.json").read_text())["fit"]["status"] == "finished"
    assert validated("cut") == validated("whole")  # each once, the one that was broken off too


ENDS = {
    "in a step between two validations": (("--trainer.max_steps=23", "--trainer.val_check_interval=10"), 23),
    "after an epoch between two validations": (
        ("--trainer.max_steps=-1", "--trainer.max_epochs=3", "--trainer.val_check_interval=1.0",
         "--trainer.check_val_every_n_epoch=2"), 39,
    ),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_is_stopped_in_its_last_validation_makes_up_for_it(
    end: str, fit: tuple[str, ...], run: Run, with_callbacks: Any
) -> None:
    options, step = ENDS[end]
    run(*fit, *options, "--name=whole")
    with_callbacks(Send(signal.SIGTERM, validation=1, step=step))
    assert stopped(run, *fit, *options, "--name=cut") == 143
    assert stopped(run, *fit, *options, "--name=cut", "--ckpt_path=last") == 143  # and once more
    with_callbacks()
    run(*fit, *options, "--name=cut", "--ckpt_path=last")
    assert validated("cut") == validated("whole")
    assert len(validated("whole")) > 1
    whole, cut = (json.loads(Path(f"runs/{n}/version_0/summary.json").read_text())["fit"] for n in ("whole", "cut"))
    assert whole["steps"] == whole["kept"]["step"] == step
    different = {name for name in whole if whole[name] != cut.get(name)} - {"seconds"}
    assert not different, (whole, cut)
    assert Path("runs/cut/version_0/export/model.safetensors").is_file()


def test_nothing_to_save(
    fit: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pretune.datamodules import CorpusDataModule

    monkeypatch.setattr(CorpusDataModule, "prepare_data", lambda self: os.kill(os.getpid(), signal.SIGTERM))
    assert stopped(run, *fit) == 143
    assert "Stopped by SIGTERM: before the first step was done; nothing was saved." in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize("place", ["setup", "on_fit_start", "on_validation_batch_end", "on_train_start"])
def test_a_start_that_is_stopped_leaves_no_run(
    place: str, fit: tuple[str, ...], run: Run, with_callbacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that `test` could take for one, or that the next start would begin beside."""
    early = Callback()
    setattr(early, place, lambda *args, **_: os.kill(os.getpid(), signal.SIGTERM))
    with_callbacks(early)
    assert stopped(run, *fit, "--stop_after=2h") == 143
    assert "before the first step was done; nothing was saved." in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_stop_after_the_last_step_is_none_before_the_first(
    fit: tuple[str, ...], run: Run, with_callbacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    late = Callback()
    late.on_fit_end = lambda *_: os.kill(os.getpid(), signal.SIGTERM)  # type: ignore[method-assign]
    with_callbacks(late)
    assert stopped(run, *fit, "--trainer.max_steps=2", "--name=late") == 143
    assert "after step 2, before all was written; saved are " in capsys.readouterr().err


def test_a_trial_run_leaves_no_run(fit: tuple[str, ...], run: Run) -> None:
    run(*fit, "--trainer.fast_dev_run=true")
    assert not list(Path("runs").glob("*/version_*")), list(Path("runs").rglob("*"))


def test_the_second_interrupt_ends_at_once(fit: tuple[str, ...]) -> None:
    code, said = alone("[os.kill(os.getpid(), signal.SIGINT) for _ in range(2)]", *fit)
    assert code == 130
    assert "SIGINT: saving as soon as the step is done; once more stops at once." in said
    assert "Traceback" not in said
    assert not list(Path("runs").rglob("*.ckpt"))


def test_workers_leave_it_to_their_parent(fit: tuple[str, ...]) -> None:
    """`timeout`, Slurm and a terminal signal all processes; a worker that dies of it would end training unsaved."""
    code, said = alone("os.system(f'kill -TERM -{os.getpgrp()}')", *fit, "--data.num_workers=2")
    assert code == 143, said
    assert "Stopped by SIGTERM: step 3 is saved" in said


@pytest.mark.parametrize(("strategy", "rank"), [("ddp", 1), pytest.param("fully_sharded", 0, marks=pytest.mark.slow)])
def test_processes_stop_after_the_same_step(strategy: str, rank: int, fit: tuple[str, ...]) -> None:
    """Whichever was asked."""
    options = (*fit, "--trainer.devices=2", f"--trainer.strategy={strategy}")
    code, said = alone(f"os.kill(os.getpid(), signal.SIGUSR1) if trainer.global_rank == {rank} else None", *options)
    assert code == 138, said
    assert said.count("Stopped by SIGUSR1: step 3 is saved") == 1
    assert alone("None", *options, "--ckpt_path=last")[0] == 0
    assert weights("MaskedLanguageModeling")


@pytest.mark.slow
def test_processes_of_torchrun_share_one_run(fit: tuple[str, ...]) -> None:
    Path("program.py").write_text("from pretune.main import main\n\nmain()\n")
    places = {"PYTHONPATH": str(Path(pretune.__file__).parent.parent)}
    options = ("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "program.py", *fit, *options],
        env={**os.environ, **places}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in Path("runs/MaskedLanguageModeling").iterdir()] == ["version_0"]


def test_a_time_limit(fit: tuple[str, ...], run: Run, with_callbacks: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Soon(Callback):
        def on_train_start(self, *args: Any) -> None:
            assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 7200
            signal.setitimer(signal.ITIMER_REAL, 0.2)

        def on_train_batch_start(self, *args: Any) -> None:
            time.sleep(0.1)

    with_callbacks(Soon())
    assert stopped(run, *fit, "--stop_after=2h") == 143
    found = json.loads(Path("runs/MaskedLanguageModeling/version_0/summary.json").read_text())["fit"]
    assert found["stopped"].startswith("the time limit (--stop_after) at step ")
    with_callbacks()
    assert stopped(run, *fit, "--stop_after=1", "--name=late") == 143  # it is over when the command is read
    assert "Stopped by the time limit (--stop_after): nothing was saved." in capsys.readouterr().err
    assert not Path("runs/late").exists()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_durations() -> None:
    examples = {"90m": 5400, "1h30m": 5400, "01:30:00": 5400, "1:00:00:30": 86430, "45s": 45, "1.5h": 5400, "7": 7}
    for text, seconds in examples.items():
        assert seconds_of(text) == seconds
    assert seconds_of(None) is None
    for wrong in ("soon", "0", "-5", "90x", "1:2", "m", "nan"):
        with pytest.raises(InputError, match="90m, 1h30m or 01:30:00"):
            seconds_of(wrong)


def test_what_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handling_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) == requests.handle
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (exit_code(TIME_LIMIT), exit_code(SLURM_LIMIT), exit_code(signal.SIGINT)) == (143, 143, 130)
    assert name_of(SLURM_LIMIT) == "Slurm's time limit"


# ---------------------------------------------------------------------- Slurm


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job, and a `scontrol` that takes note of what it is asked."""
    asked, tool = tmp_path / "asked", tmp_path / "bin" / "scontrol"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho $@ >> {asked}\n[ ! -e {tmp_path}/full ]\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    return asked


def test_a_job_goes_on_in_its_own_run(
    slurm: Path, fit: tuple[str, ...], run: Run, with_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ends(Callback):
        """What Slurm does with a job that it starts again."""

        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            if slurm.is_file() and trainer.global_step == 10:
                os.kill(os.getpid(), signal.SIGTERM)

    with_callbacks(Send(signal.SIGUSR1, batch=10), Ends())
    assert stopped(run, *fit) == 143
    assert slurm.read_text() == "requeue 4711\n"
    assert not list(Path("runs").glob("hpc_ckpt*"))
    with_callbacks()
    assert run(*fit, "--model.learning_rate=1e-4").run.folder.name == "version_1"  # something else in the same job
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    again = run(*fit)
    assert (again.run.folder.name, again.run.checkpoint.name) == ("version_0", "last.ckpt")
    assert run(*fit).run.folder.name == "version_0"  # finished: nothing is trained twice
    monkeypatch.setenv("SLURM_JOB_ID", "4712")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    assert run(*fit).run.folder.name == "version_2"


def test_a_job_that_slurm_does_not_start_again(
    slurm: Path, fit: tuple[str, ...], run: Run, with_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("full").touch()
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 30))
    assert stopped(run, *fit) == 143
    assert slurm.read_text() == "requeue 4711\n"
    found = json.loads(Path("runs/MaskedLanguageModeling/version_0/summary.json").read_text())["fit"]
    assert found["stopped"] == "Slurm's time limit at step 1."


def test_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SlurmJob.current() is None
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "11")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1700000000")
    assert SlurmJob.current() == SlurmJob("11_3", "0.0", 0, 1.7e9)
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert SlurmJob.current() is None
    assert SlurmJob("1; rm -rf", "", 0, None).requeue() == "'1; rm -rf' is no job"
