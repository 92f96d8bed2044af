"""A loss that jumps and stays high: training goes back to good weights, past the data, and resumed runs too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

import pretune
from pretune.cli import pretune_cli as cli
from pretune.modules.callbacks import EqualWeightAveraging, Rollback

Fit = Callable[..., Any]
OPTIONS = (
    "fit", "--model=MaskedLanguageModeling", "--model.learning_rate=1e-3", "--data=CorpusDataModule",
    "--data.train_files=corpus.txt", "--data.block_size=16", "--data.batch_size=8", "--early_stopping=null",
    "--trainer.precision=32-true",
)  # fmt: skip


class Spoil(Callback):
    """Makes weights of no use before some batches, as a bad one can; takes down what they are before others."""

    def __init__(self, batches: tuple[int, ...], seen: tuple[int, ...] = (), stop: int | None = None) -> None:
        self.batches, self.seen, self.stop = batches, seen, stop
        self.weights: dict[int, dict[str, torch.Tensor]] = {}
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        batch = trainer.fit_loop.epoch_loop.total_batch_idx
        if batch in self.seen:
            self.weights[batch] = {name: p.detach().clone() for name, p in pl_module.named_parameters()}
        if batch in self.batches:
            with torch.no_grad():
                pl_module.model.bert.embeddings.LayerNorm.weight.mul_(-40)
                pl_module.model.cls.predictions.transform.LayerNorm.weight.mul_(40)
        if batch == self.stop:
            os.kill(os.getpid(), signal.SIGTERM)
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.fixture
def fit(corpus: Path, tokenizer_folder: Path, tiny: dict[str, Any], run: Fit, monkeypatch: pytest.MonkeyPatch) -> Fit:
    usual = cli.PretuneCLI._callbacks

    def fitted(name: str, *callbacks: Callback, steps: int = 70, args: tuple[str, ...] = ()) -> Any:
        monkeypatch.setattr(cli.PretuneCLI, "_callbacks", lambda self: [*usual(self), *callbacks])
        return run(
            *OPTIONS, f"--trainer.max_steps={steps}", "--trainer.val_check_interval=20",
            f"--model.backbone={json.dumps({'config': tiny, 'dropout': 0.1})}", f"--data.tokenizer={tokenizer_folder}",
            f"--name={name}", *args,
        )  # fmt: skip

    return fitted


def last(name: str) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)
    return found


def summary(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"runs/{name}/version_0/summary.json").read_text())["fit"]
    return found


def same_optimizer(one: dict[str, Any], other: dict[str, Any]) -> bool:
    states = [content["optimizer_states"][0]["state"] for content in (one, other)]
    return all(torch.equal(value, states[1][n][key]) for n, kept in states[0].items() for key, value in kept.items())


@pytest.mark.parametrize("stop", [46, 57])
def test_it_goes_back_and_a_resumed_run_too(fit: Fit, stop: int) -> None:
    """Stopped within the spike, or after it."""
    spoil = Spoil((44,), (40, 50))
    with pytest.warns(UserWarning, match=r"jumped at step 45, .* are those of step 40 again, .* \(1 of 2 times"):
        fit("whole", spoil, Rollback(2, every_n_steps=10))
    assert all(torch.equal(value, spoil.weights[50][name]) for name, value in spoil.weights[40].items())
    found = summary("whole")
    assert found["rollbacks"] == [{"at": 50, "to": 40, "spike": 45}]
    assert [spike["step"] for spike in found["loss_jumps"]] == [45]
    assert found["loss_jumps"][0]["loss"] > 1.5 * found["loss_jumps"][0]["typical"]
    assert (found["status"], found["steps"]) == ("finished", 70)
    assert all(0 < now <= before for before, now in zip(spoil.rates[10:], spoil.rates[11:], strict=False))
    with pytest.raises(SystemExit) as caught:
        fit("cut", Spoil((44,), stop=stop), Rollback(2, every_n_steps=10))
    assert caught.value.code == 143
    fit("cut", Spoil((44,) if stop < 44 else ()), Rollback(2, every_n_steps=10), args=("--ckpt_path=last",))
    assert summary("cut")["rollbacks"] == found["rollbacks"]
    assert summary("cut")["loss_jumps"] == found["loss_jumps"]
    whole, cut = last("whole"), last("cut")
    assert all(torch.equal(value, cut["state_dict"][name]) for name, value in whole["state_dict"].items())
    assert same_optimizer(whole, cut)


def test_averages_and_the_optimizer_go_back_too(fit: Fit) -> None:
    with pytest.warns(UserWarning, match="are those of step 40 again"):
        fit("averaged", Spoil((44,)), EqualWeightAveraging(start=0), Rollback(2, every_n_steps=10), steps=50)
    good = torch.load("runs/averaged/version_0/checkpoints/good.ckpt", weights_only=True)
    after = last("averaged")
    assert all(torch.equal(value, after["state_dict"][name]) for name, value in good["state_dict"].items())
    assert same_optimizer(good, after)
    assert after["averaging_state"]["n_averaged"] == good["averaging_state"]["n_averaged"]


def test_too_often_stops_the_run(fit: Fit) -> None:
    with pytest.raises(SystemExit, match=r"It went back 1 times already \(model.max_rollbacks\)") as caught:
        fit("often", Spoil((44, 53)), args=("--model.max_rollbacks=1",))
    assert str(caught.value.code).startswith("error: The training loss jumped at step 54, ")
    found = summary("often")
    assert found["status"] == "failed"
    assert len(found["rollbacks"]) == 1


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rollback.__init__, "__defaults__", (3, 10, None))


class Break(Callback):
    """Breaks off before a batch, as a kill would: nothing is saved."""

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.fit_loop.epoch_loop.total_batch_idx == 72:
            raise RuntimeError("killed")


def test_a_run_that_is_killed_when_the_next_good_checkpoint_is_written(fit: Fit) -> None:
    """That it would go back to is gone by then, and must not be needed again."""
    args = ("--trainer.val_check_interval=1.0",)
    fit("whole", Spoil((54,)), Rollback(2, every_n_steps=10), steps=80, args=args)
    with pytest.raises(RuntimeError, match="killed"):
        fit("cut", Spoil((54,)), Rollback(2, every_n_steps=10), Break(), steps=80, args=args)
    good = torch.load("runs/cut/version_0/checkpoints/good.ckpt", weights_only=True)
    assert (good["global_step"], last("cut")["global_step"]) == (70, 60)
    fit("cut", Spoil((54,)), Rollback(2, every_n_steps=10), steps=80, args=(*args, "--ckpt_path=last"))
    assert summary("cut")["rollbacks"] == summary("whole")["rollbacks"] == [{"at": 60, "to": 50, "spike": 55}]
    whole, cut = last("whole"), last("cut")
    assert all(torch.equal(value, cut["state_dict"][name]) for name, value in whole["state_dict"].items())
    assert same_optimizer(whole, cut)


class Leave(Callback):
    """Leaves something else in the place of the good checkpoint."""

    def __init__(self, other: Path | None) -> None:
        self.other = other

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        good = Path(trainer.default_root_dir, "checkpoints/good.ckpt")
        if trainer.fit_loop.epoch_loop.total_batch_idx == 41:
            assert good.is_file()
            good.unlink()
            if self.other is not None:
                good.hardlink_to(self.other)


def test_without_a_good_checkpoint_it_goes_on(fit: Fit) -> None:
    with pytest.warns(UserWarning, match="there is no good checkpoint of this run to go back to") as told:
        fit("none", Spoil((44,)), Leave(None), args=("--model.max_rollbacks=1",), steps=60)
    assert sum("no good checkpoint" in str(warning.message) for warning in told) == 1
    assert "rollbacks" not in summary("none")
    other = Path("runs/none/version_0/checkpoints/last.ckpt")
    with pytest.warns(UserWarning, match="there is no good checkpoint of this run to go back to"):
        fit("other", Spoil((44,)), Leave(other), args=("--model.max_rollbacks=1",), steps=60)


def test_off_by_default(fit: Fit) -> None:
    with pytest.warns(UserWarning, match="The training loss jumped at step 45"):
        cli = fit("off", Spoil((44,)), steps=60)
    assert not any(isinstance(callback, Rollback) for callback in cli.trainer.callbacks)
    assert summary("off")["loss_jumps"][0]["steps"] > 3


SCRIPT = """
import torch
from lightning.pytorch import Callback
from pretune.cli import pretune_cli as cli
from pretune.modules.callbacks import Rollback

class Spoil(Callback):
    def on_train_batch_start(self, trainer, pl_module, *args):
        if trainer.fit_loop.epoch_loop.total_batch_idx == 44:
            with torch.no_grad():
                for weight in (pl_module.model.bert.embeddings.LayerNorm.weight,
                               pl_module.model.cls.predictions.transform.LayerNorm.weight):
                    weight.mul_(40)

usual = cli.PretuneCLI._callbacks
cli.PretuneCLI._callbacks = lambda self: [*usual(self), Spoil(), Rollback(2, every_n_steps=10)]
from pretune.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fully_sharded"])
def test_processes_go_back_together(strategy: str, corpus: Path, tokenizer_folder: Path, tiny: dict[str, Any]) -> None:
    Path("program.py").write_text(SCRIPT)
    places = {"PYTHONPATH": str(Path(pretune.__file__).parent.parent)}
    options = (*OPTIONS, f"--model.backbone={json.dumps({'config': tiny})}", f"--data.tokenizer={tokenizer_folder}")
    process = ("--trainer.devices=2", f"--trainer.strategy={strategy}", "--trainer.accelerator=cpu")
    done = subprocess.run(
        [sys.executable, "program.py", *options, *process, "--trainer.max_steps=50", "--name=both"],
        env={**os.environ, **places}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("are those of step 40 again") == 1
    good = torch.load("runs/both/version_0/checkpoints/good.ckpt", weights_only=True)
    after = last("both")
    assert all(torch.equal(value, after["state_dict"][name]) for name, value in good["state_dict"].items())
