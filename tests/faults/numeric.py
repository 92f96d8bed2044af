"""Numbers that are none, injected into loss, gradient, weights or data: said, and never exported."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forked import start
from material import COMMON, choose, fit, run_of
from trial import Outcome, Trial, crudeness, last_line, refused

KINDS = ("loss", "gradient", "weights", "data")
SAID = re.compile(r"finite|no numbers|\bnan\b|\binf\b|infinite|1e\+?39|1e\+?300|out of range|too large", re.I)
STEPS = 24


def inject(trial: Trial) -> Outcome:
    """Injects such a number at a random step, for one step or from then on."""
    kind = KINDS[trial.number % len(KINDS)]
    value = trial.rng.choice(("nan", "inf", "-inf"))
    if kind == "data":
        return _data(trial)
    name, step = choose(trial.rng), trial.rng.randrange(STEPS)
    lasts = kind == "weights" or trial.rng.random() < 0.4
    trial.note(f"{name}, {value} in {kind} {'from' if lasts else 'at'} step {step}{' on' if lasts else ''}")
    trial.material.prepare(trial.folder)
    command = start(fit(name), trial.folder, lambda: _install(kind, float(value), step, lasts))
    command.wait()
    must_fail = kind == "weights" or (lasts and (step == 0 or STEPS - step >= 10))
    return _judged(trial, command, must_fail)


def _judged(trial: Trial, command: Any, must_fail: bool) -> Outcome:
    if crude := crudeness(command.said):
        return trial.outcome("rough", crude)
    run = run_of(trial.folder)
    if run is not None and (bad := non_finite(run / "export/model.safetensors")):
        return trial.outcome("silent", f"exported {bad}, code {command.code}")
    for file in ("metrics.csv", "summary.json"):
        for found in trial.folder.glob(f"runs/run/version_*/{file}"):
            if file == "summary.json":
                json.loads(found.read_text(), parse_constant=_refuse)
    if not SAID.search(command.said):
        return trial.outcome("silent", f"code {command.code}, and nothing said")
    if must_fail and command.code == 0:
        return trial.outcome("silent", "code 0")
    if command.code != 0 and not refused(command):
        return trial.outcome("rough", f"code {command.code}: {last_line(command.said)}")
    if command.code == 0 and run is None:
        return trial.outcome("lost", "code 0, and no export")
    return trial.outcome("right")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} in a summary")


def _install(kind: str, value: float, first: int, lasts: bool) -> None:
    """Has the training of this process meet such a number."""
    import torch
    from lightning.pytorch import Callback

    from pretune.cli import pretune_cli as cli

    class Inject(Callback):
        def is_due(self, trainer: Any) -> bool:
            due: bool = trainer.global_step == first or (lasts and trainer.global_step > first)
            return due

        def on_train_start(self, trainer: Any, module: Any) -> None:
            if kind != "loss":
                return
            usual: Callable[..., Any] = module.training_step

            def training_step(*args: Any, **options: Any) -> Any:
                found = usual(*args, **options)
                return found * value if self.is_due(trainer) else found

            module.training_step = training_step

        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            if kind == "weights" and trainer.global_step == first:
                self.spoil(module, lambda parameter: parameter.data)

        def on_after_backward(self, trainer: Any, module: Any) -> None:
            if kind == "gradient" and self.is_due(trainer):
                self.spoil(module, lambda parameter: parameter.grad)

        def spoil(self, module: Any, of: Callable[[Any], Any]) -> None:
            tensors = [of(p) for p in module.parameters() if p.requires_grad and of(p) is not None]
            with torch.no_grad():
                tensors[first * 7 % len(tensors)].view(-1)[0] = value

    usual = cli.PretuneCLI._callbacks
    cli.PretuneCLI._callbacks = lambda self: [*usual(self), Inject()]  # type: ignore[method-assign]


def _data(trial: Trial) -> Outcome:
    """A label of a regression that is no number, or too large for one."""
    value = trial.rng.choice(("nan", "inf", "-inf", "1e39", "1e300"))
    part = trial.rng.choice(("train", "validation"))
    trial.material.prepare(trial.folder)
    rows = [f"the film number {i} is good,{i % 7 / 7:.3f}" for i in range(40)]
    for name in ("train", "validation"):
        mine = list(rows)
        if name == part:
            row = trial.rng.randrange(len(mine))
            mine[row] = f"the film number {row} is good,{value}"
            trial.note(f"label {value} in row {row} of {part}")
        (trial.folder / f"{name}.csv").write_text("review,stars\n" + "\n".join(mine) + "\n")
    args = (
        "fit", "--name=run", "--model=TextClassification", "--model.backbone=backbone",
        "--data=TextClassificationDataModule", "--data.batch_size=2",
        "--data.train_files=train.csv", "--data.validation_files=validation.csv",
        "--data.text_column=review", "--data.label_column=stars", "--data.problem=regression", *COMMON,
    )  # fmt: skip
    command = start(args, trial.folder)
    command.wait()
    return _judged(trial, command, must_fail=part == "train")


def non_finite(file: Path) -> str:
    """The first tensor of a safetensors file of float32 that holds a number that is none."""
    import array
    import math

    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    start_of_data = 8 + length
    for name, known in json.loads(content[8:start_of_data]).items():
        if name != "__metadata__" and known["dtype"] == "F32":
            begin, end = known["data_offsets"]
            numbers = array.array("f", content[start_of_data + begin : start_of_data + end])
            if not all(map(math.isfinite, numbers)):
                return str(name)
    return ""
