"""How far `estimate` is off: its memory and time beside those of real training steps on the CPU.

    python benchmarks/estimating.py [--cases bert-mini ...] [--precisions 32-true bf16-mixed] [--steps 10] [--smoke]

Each case runs in a process of its own: `estimate` first, then the same configuration for some steps, optimizer
included, on generated text; all networks are new. Memory is that above what the process held before the network was
made. *Allocated* is the peak of what torch's allocator handed out, by its profiler: what is estimated, and what
`torch.cuda.max_memory_allocated` is on a GPU. *Resident* is the peak of the process as the kernel counts it, with the
memory options of the command line, which has the workspaces of oneDNN, code that is first used, and what the C library
keeps for later; the estimate of a process, without the libraries that are there before, is beside it. Time is that of
the process on its cores, which other work on the machine changes little. The first case of each kind gives the speed
(`--teraflops`, as `benchmark` measures it) that the time of the others is estimated with.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pretune.cli.process import prepare_process


@dataclass(frozen=True)
class Case:
    """A configuration.

    Args:
        kind: of cases that the same speed is expected of.
        module: its class.
        config: of the backbone.
        rows: in a batch.
        length: of each.
        options: more of the command line.
    """

    kind: str
    module: str
    config: dict[str, Any]
    rows: int
    length: int
    options: tuple[str, ...] = ()


def bert(width: int, layers: int) -> dict[str, Any]:
    """A BERT of 30,522 words, heads of 64."""
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
    return {"model_type": "bert", **sizes, "num_attention_heads": max(1, width // 64), "vocab_size": 30528}


def gpt2(width: int, layers: int) -> dict[str, Any]:
    """A GPT-2 of 8,192 words."""
    sizes = {"n_embd": width, "n_layer": layers, "n_head": max(1, width // 64)}
    return {"model_type": "gpt2", **sizes, "n_positions": 512, "vocab_size": 8192}


def t5(width: int, layers: int) -> dict[str, Any]:
    """A T5 of 16,384 words."""
    sizes = {"d_model": width, "d_ff": 4 * width, "num_layers": layers, "num_heads": max(1, width // 64)}
    return {"model_type": "t5", **sizes, "d_kv": 64, "vocab_size": 16384}


MASKED, CAUSAL, SPANS = "MaskedLanguageModeling", "CausalLanguageModeling", "SpanDenoising"
CASES = {
    "bert 4x256, 32x128": Case("masked", MASKED, bert(256, 4), 32, 128),
    "bert 8x512 (medium), 16x128": Case("masked", MASKED, bert(512, 8), 16, 128),
    "bert 4x256, 8x512, half masked": Case("masked", MASKED, bert(256, 4), 8, 512, ("--model.mask_probability=0.5",)),
    "gpt2 4x256, 16x256": Case("causal", CAUSAL, gpt2(256, 4), 16, 256),
    "gpt2 6x384, 8x256": Case("causal", CAUSAL, gpt2(384, 6), 8, 256),
    "t5 4x256, 32x128": Case("spans", SPANS, t5(256, 4), 32, 128),
    "t5 6x512 (small), 16x128": Case("spans", SPANS, t5(512, 6), 16, 128),
    "bert 4x256, labels, 32x128": Case("labels", "TextClassification", bert(256, 4), 32, 128),
    "MiniLM 6x384, labels, 16x128": Case("labels", "TextClassification", bert(384, 6), 16, 128),
    "the same, 3 layers frozen": Case(
        "labels", "TextClassification", bert(384, 6), 16, 128, ("--model.backbone.freeze=3",)
    ),
    "the same, LoRA": Case("labels", "TextClassification", bert(384, 6), 16, 128, ("--model.backbone.lora={r: 8}",)),
    "bert 4x256, muon": Case("masked", MASKED, bert(256, 4), 32, 128, ("--model.optimizer=muon",)),
    "bert 4x256, checkpointing": Case(
        "masked", MASKED, bert(256, 4), 32, 128, ("--model.backbone.gradient_checkpointing=true",)
    ),
    "bert 4x256, 4 batches a step": Case(
        "masked", MASKED, bert(256, 4), 32, 128, ("--trainer.accumulate_grad_batches=4",)
    ),
}
SMOKE = {
    "bert 1x64, 4x32": Case("masked", MASKED, {**bert(64, 1), "vocab_size": 4096}, 4, 32),
    "gpt2 1x64, 4x32": Case("causal", CAUSAL, gpt2(64, 1), 4, 32),
}
BEFORE = 3
"""Steps before the clock starts."""


def options_of(case: Case, precision: str, folder: Path) -> list[str]:
    """The command line of a case; its data are written."""
    rng = random.Random(0)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 7))) for _ in range(2000)]
    labeled = case.module == "TextClassification"
    lines = [" ".join(rng.choices(words, k=2 * case.length)) for _ in range(600)]
    if labeled:
        lines = ["text\tlabel", *(f"{line}\t{'good' if i % 2 else 'bad'}" for i, line in enumerate(lines))]
    name = folder / ("rows.tsv" if labeled else "text.txt")
    name.write_text("\n".join(lines) + "\n")
    return [
        f"--model={case.module}",
        f"--model.backbone={json.dumps({'config': case.config})}",
        f"--data={'TextClassificationDataModule' if labeled else 'CorpusDataModule'}",
        f"--data.train_files={name}",
        "--data.tokenizer={train: wordpiece, vocab_size: 1000}",
        f"--data.{'max_length' if labeled else 'block_size'}={case.length}",
        f"--data.batch_size={case.rows}",
        f"--data.cache_dir={folder / 'cache'}",
        f"--trainer.precision={precision}",
        "--trainer.accelerator=cpu",
        *case.options,
    ]


def one(case: Case, precision: str, steps: int, folder: Path) -> dict[str, Any]:
    """Estimates and measures a case in this process."""
    from pretune.cli.commands.estimate import LIBRARIES
    from pretune.main import main

    options = options_of(case, precision, folder)
    estimate = main(["estimate", *options])
    resident, _, seconds = train(options, steps + BEFORE)
    _, allocated, _ = train(options, 2, profile=True)
    return {
        "estimated": sum(estimate["memory"]["ddp"].values()),
        "process": estimate["process"] - LIBRARIES,
        "parts": estimate["memory"]["ddp"],
        "flops": estimate["flops_per_token"] * estimate["tokens_per_step"],
        "allocated": allocated,
        "resident": resident,
        "seconds": seconds,
    }


def train(options: list[str], steps: int, profile: bool = False) -> tuple[float, float, float]:
    """Trains for so many steps; the clock starts after `BEFORE` of them.

    Args:
        options: of `fit`.
        steps: in all.
        profile: count what torch's allocator hands out, too.

    Returns:
        The peaks above what was there before the network was made, in bytes: of the process, and of what was handed
        out; and the median of seconds on the cores of a step.
    """
    from lightning.pytorch import Callback
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from pretune.cli.pretune_cli import PretuneCLI

    class Watch(Callback):
        def __init__(self) -> None:
            self.peak, self.allocated, self.held, self.ends, self.steps = 0.0, 0.0, 0.0, [0.0], 0
            self.profiler = profiler(activities=[ProfilerActivity.CPU], profile_memory=True)

        def setup(self, *_: Any, **__: Any) -> None:  # the data are there, the network is not
            gc.collect()
            if sys.platform == "linux":
                ctypes.CDLL(None).malloc_trim(0)
                Path("/proc/self/clear_refs").write_text("5")  # the peak is to be that from here on
            self.held = status("VmRSS")
            if profile:
                self.profiler.start()

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step > self.steps:
                self.steps = trainer.global_step
                self.ends.append(time.process_time())

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self.peak = status("VmHWM") - self.held
            if profile:
                self.profiler.stop()
                self.allocated = handed_out(self.profiler)

    watch = Watch()

    class CLI(PretuneCLI):
        def _callbacks(self) -> list[Any]:
            return [watch]

        def _run_subcommand(self, subcommand: str) -> None:
            self.trainer.fit(self.model, datamodule=self.datamodule)

    with tempfile.TemporaryDirectory() as folder:
        fixed = {"max_steps": steps, "limit_val_batches": 0, "num_sanity_val_steps": 0, "logger": "false"}
        fixed |= {"enable_progress_bar": "false", "enable_checkpointing": "false", "default_root_dir": folder}
        own = [f"--trainer.{name}={value}" for name, value in fixed.items()]
        CLI(["fit", *options, *own, "--early_stopping=null", "--name=estimating"])
    seconds = [after - before for before, after in pairwise(watch.ends[BEFORE:])]
    return watch.peak, watch.allocated, statistics.median(seconds) if seconds else 0.0


def status(name: str) -> float:
    """A line of the process's status, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024.0 * float(line.split()[1])


def handed_out(profile: Any) -> float:
    """The largest sum of all that was allocated and not yet freed."""
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return float(most)


def table(found: dict[tuple[str, str], dict[str, Any]], cases: dict[str, Case]) -> str:
    """Markdown, with the errors."""
    lines = [
        "| case | precision | MB estimated | allocated | off | process estimated | resident | off "
        "| ms estimated | measured | off |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    speeds: dict[tuple[str, str], float] = {}
    for (name, precision), of in found.items():
        kind = (cases[name].kind, precision)
        given = kind in speeds
        seconds = of["flops"] / speeds.setdefault(kind, of["flops"] / of["seconds"])
        time_ = f"{1000 * seconds:.0f} | {1000 * of['seconds']:.0f} | {seconds / of['seconds'] - 1:+.0%}"
        lines.append(
            f"| {name} | {precision} | "
            + " | ".join(
                f"{of[said] / 1e6:.0f} | {of[measured] / 1e6:.0f} | {of[said] / of[measured] - 1:+.0%}"
                for said, measured in (("estimated", "allocated"), ("process", "resident"))
            )
            + (f" | {time_} |" if given else f" | given | {1000 * of['seconds']:.0f} | |")
        )
    return "\n".join(lines)


def main(args: list[str] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """Runs the cases and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", help="those whose names contain one of these")
    parser.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--smoke", action="store_true", help="tiny networks, in seconds: says nothing of errors")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(args)
    cases = SMOKE if given.smoke else CASES
    if given.one:
        prepare_process()
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(one(cases[given.one[0]], given.one[1], given.steps, Path(folder))))
        return {}
    chosen = [name for name in cases if not given.cases or any(part in name for part in given.cases)]
    found = {}
    for name in chosen:
        for precision in given.precisions:
            command = [sys.executable, __file__, f"--steps={given.steps}", "--one", name, precision]
            command += ["--smoke"] if given.smoke else []
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name} broke off:\n{done.stderr}")
            found[name, precision] = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}, {precision}: {found[name, precision]}", file=sys.stderr, flush=True)
    print(table(found, cases))
    return found


if __name__ == "__main__":
    main()
