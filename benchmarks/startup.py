"""How long a command takes to start: imports alone, help, and a warm `fit` up to its first step.

    python benchmarks/startup.py [--runs 5] [--smoke]

Every measurement is a process of its own, and they take turns. `wall` are the seconds since the process was launched,
`CPU` those that it has used by then, which say more on a machine that does other things as well; medians over the runs.
No command that trains can start sooner than `import lightning.pytorch.cli` lets it. `fit` fine-tunes a BERT of 2 layers
x 128 whose weights and tokenized rows are there already; its sanity validation is one pass over 64 rows. `--smoke`
runs everything once, from scratch, to see that it works: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = {
    "python": "pass",
    "import torch": "import torch",
    "import transformers (its classes come later)": "import transformers",
    "import lightning.pytorch": "import lightning.pytorch",
    "import lightning.pytorch.cli": "import lightning.pytorch.cli",
    "import pretune.modules, pretune.datamodules": "import pretune.modules, pretune.datamodules",
}
HELP = ["--help", "compare --help", "fit --help", "fit --model.help TextClassification", "estimate --help"]
SMOKE = ("python", "--help", "compare --help")
CLOCK = """
import os
import time

from lightning.pytorch import Callback


def tell(name):
    print(f"\\nAT {name}|{time.time()}|{time.process_time()}", flush=True)


class Clock(Callback):
    def on_sanity_check_start(self, trainer, module):
        tell("warm fit: sanity validation begins")

    def on_sanity_check_end(self, trainer, module):
        tell("warm fit: sanity validation has ended")

    def on_train_batch_end(self, trainer, *args):
        tell("warm fit: first optimizer step has ended")
        os._exit(0)  # what comes now is no start
"""
Seconds = dict[str, tuple[float, float]]
"""Of wall-clock and of CPU, by what was measured."""


def launch(arguments: list[str], folder: Path) -> tuple[str, float, float]:
    """Runs Python in a process of its own.

    Args:
        arguments: of the interpreter.
        folder: where it runs.

    Returns:
        What it printed, and its seconds of wall-clock and of CPU.

    Raises:
        RuntimeError: if it fails.
    """
    path = os.pathsep.join(filter(None, [str(folder), str(ROOT.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PRETUNE_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout, wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def prepare(folder: Path) -> None:
    """Writes rows, a clock and two configurations, and trains the weights that the second starts from."""
    words = [f"word{i}" for i in range(200)]
    for name, rows in (("train", 256), ("validation", 64)):
        lines = [f"{' '.join(words[(7 * i + k) % 200] for k in range(12))},{'ab'[i % 2]}" for i in range(rows)]
        (folder / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (folder / "startup_clock.py").write_text(CLOCK)
    shape = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
    model: dict[str, Any] = {"backbone": {"config": {"model_type": "bert", **shape}}}
    data: dict[str, Any] = {"train_files": "train.csv", "validation_files": "validation.csv"}
    trainer: dict[str, Any] = {"max_steps": 1, "enable_progress_bar": False}
    first = {
        "model": {"class_path": "TextClassification", "init_args": model},
        "data": {
            "class_path": "TextClassificationDataModule",
            "init_args": {**data, "tokenizer": {"train": "wordpiece", "vocab_size": 500}},
        },
        "trainer": trainer,
    }
    warm = {
        "model": {"class_path": "TextClassification", "init_args": {"backbone": "runs/first"}},
        "data": {"class_path": "TextClassificationDataModule", "init_args": data},
        "trainer": {**trainer, "callbacks": [{"class_path": "startup_clock.Clock"}]},
    }
    for name, config in (("first", first), ("warm", warm)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    launch([str(ROOT / "main.py"), "fit", "--config", "first.yaml"], folder)


def fit(folder: Path) -> Seconds:
    """When the parts of a warm `fit` are reached."""
    began = time.time()
    printed, _, _ = launch([str(ROOT / "main.py"), "fit", "--config", "warm.yaml"], folder)
    told = [line.removeprefix("AT ").split("|") for line in printed.splitlines() if line.startswith("AT ")]
    return {name: (float(at) - began, float(used)) for name, at, used in told}


def once(folder: Path, smoke: bool) -> Seconds:
    """Everything, one after the other."""
    commands = {name: ["-c", code] for name, code in IMPORTS.items()}
    commands |= {f"main.py {args}": [str(ROOT / "main.py"), *args.split()] for args in HELP}
    if smoke:
        commands = {name: commands[name] for name in commands if name.removeprefix("main.py ") in SMOKE}
    found: Seconds = {name: launch(arguments, folder)[1:] for name, arguments in commands.items()}
    return {**found, **fit(folder)}


def table(runs: list[Seconds]) -> str:
    """Markdown: medians."""
    lines = ["| | wall, s | CPU, s |", "|---|--:|--:|"]
    for name in runs[0]:
        wall, used = (statistics.median(run[name][place] for run in runs) for place in (0, 1))
        lines.append(f"| {name} | {wall:.2f} | {used:.2f} |")
    return "\n".join(lines)


def main(args: list[str] | None = None) -> str:
    """Measures, and prints the table; returns it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        if not given.smoke:
            fit(folder)  # fills the cache, and the machine's own
        found = table([once(folder, given.smoke) for _ in range(1 if given.smoke else given.runs)])
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.platform()}\n\n{found}")
    return found


if __name__ == "__main__":
    main()
