"""Tokenizing a corpus into the cache, beside `datasets.map` as transformers' `run_mlm.py` does it.

    python benchmarks/tokenizing.py [DATA] [--megabytes 200] [--rounds 1] [--processes 2] [--folder /tmp] [--smoke]

Both sides read the same text files with the same tokenizer, made before, into an empty cache, each run in a process of
its own, in the order A B B A; what is timed begins after the imports and ends when blocks of 128 tokens can be read.

- pretune: `CorpusDataModule.prepare_data()`: documents counted, hashed and divided into training and 5% validation.
- datasets: `load_dataset("text")`, `map` of the tokenizer with `return_special_tokens_mask`, and `map` of
  `group_texts`, batched, in as many processes. (`run_mlm.py` would read the corpus twice to hold out 5%; here it does
  not.)

DATA is a folder of .txt files. Without it, text is generated that never runs out of new words, as real text does:
their frequencies fall by Zipf's law, and 35 million words (200 MB) have 1.2 million different ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 128
SYLLABLES = [first + vowel + last for first in "bdfklmnprst" for vowel in "aeiou" for last in ("", "n", "r")]


def generate(path: Path, megabytes: float) -> None:
    """Writes about so many megabytes of lines of words."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        while file.tell() < megabytes * 1e6:
            drawn = np.minimum(5 * rng.pareto(0.35, 200_000), 1e12).astype(np.int64)
            ranks, places = np.unique(drawn, return_inverse=True)
            words = np.array([spelled(rank) for rank in ranks.tolist()], object)[places]
            for mark, share in ((",", 0.05), (".", 0.05)):
                words[rng.random(len(words)) < share] += mark
            cuts = np.cumsum(rng.geometric(1 / 50, len(words) // 50))
            for line in np.split(words, cuts[cuts < len(words)]):
                file.write(" ".join(line).capitalize() + "\n")


def spelled(rank: int) -> str:
    """A word for each number: frequent ones are short."""
    rank, syllable = divmod(rank, len(SYLLABLES))
    return SYLLABLES[syllable] + (spelled(rank) if rank else "")


def make_tokenizer(files: list[str], vocabulary: int, folder: Path) -> None:
    """Trains a WordPiece tokenizer on the first 20 MB."""
    from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

    def lines() -> Any:
        left = 20_000_000
        for name in files:
            with open(name, encoding="utf-8") as file:
                for line in file:
                    left -= len(line)
                    if left < 0:
                        return
                    yield line

    train_tokenizer(TrainTokenizer("wordpiece", vocabulary, lowercase=True), lines(), folder)


def ours(spec: dict[str, Any], folder: Path) -> Callable[[], int]:
    """What is to be timed; returns the number of blocks."""
    from pretune.datamodules import CorpusDataModule

    os.environ["PRETUNE_PROCESSES"] = str(spec["processes"])
    data = CorpusDataModule(spec["files"], tokenizer=spec["tokenizer"], block_size=BLOCK, cache_dir=str(folder))
    data.load_tokenizer()

    def work() -> int:
        data.prepare_data()
        data.setup("fit")
        return sum(map(len, data.datasets.values()))

    return work


def theirs(spec: dict[str, Any], folder: Path) -> Callable[[], int]:
    """The same with the steps of `run_mlm.py`."""
    import datasets
    from transformers import AutoTokenizer

    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(spec["tokenizer"])
    tokenizer.model_max_length = 1 << 40  # no warning for each long line
    count = spec["processes"] if spec["processes"] > 1 else None

    def tokenize_function(examples: dict[str, Any]) -> Any:
        return tokenizer(examples["text"], return_special_tokens_mask=True)

    def group_texts(examples: dict[str, Any]) -> dict[str, Any]:
        joined = {key: list(chain(*examples[key])) for key in examples}
        total = len(joined["input_ids"]) // BLOCK * BLOCK
        return {key: [ids[i : i + BLOCK] for i in range(0, total, BLOCK)] for key, ids in joined.items()}

    def work() -> int:
        raw: Any = datasets.load_dataset("text", data_files={"train": spec["files"]}, cache_dir=str(folder))
        tokens = raw.map(tokenize_function, batched=True, num_proc=count, remove_columns=["text"])
        return len(tokens.map(group_texts, batched=True, num_proc=count)["train"])

    return work


SIDES = {"pretune": ours, "datasets": theirs}


def one(side: str, spec: dict[str, Any]) -> dict[str, float]:
    """Runs a side in this process."""
    with tempfile.TemporaryDirectory(dir=spec["folder"]) as folder:
        work = SIDES[side](spec, Path(folder))
        before, began = _core_seconds(), time.monotonic()
        blocks = work()
        return {"seconds": time.monotonic() - began, "core_seconds": _core_seconds() - before, "blocks": blocks}


def _core_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def as_process(side: str, spec: dict[str, Any]) -> dict[str, float]:
    """Runs a side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--spec", json.dumps(spec)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **OFFLINE})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}


def table(megabytes: float, found: dict[str, list[dict[str, float]]]) -> str:
    """Medians of the runs."""
    middle = {
        side: {key: statistics.median(run[key] for run in runs) for key in ("seconds", "core_seconds")}
        for side, runs in found.items()
    }
    lines = ["| side | seconds, median | all runs | MB/s | core-seconds | times as fast |", "|---|---|---|---|---|---|"]
    for side, run in middle.items():
        every = ", ".join(f"{one['seconds']:.1f}" for one in found[side])
        lines.append(
            f"| {side} | {run['seconds']:.1f} | {every} | {megabytes / run['seconds']:.1f} | "
            f"{run['core_seconds']:.1f} | {middle['datasets']['seconds'] / run['seconds']:.2f} |"
        )
    return "\n".join(lines)


def cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(args: list[str] | None = None, run: Callable[[str, dict[str, Any]], dict[str, float]] = as_process) -> float:
    """Compares both; returns how many times as fast this project's side is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="folder of .txt files; without it, text is generated")
    parser.add_argument("--megabytes", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=1, help="of A B B A")
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--vocabulary", type=int, default=30522)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--smoke", action="store_true", help="1 MB, each side once: whether it works")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--spec", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args(args)
    if given.side:
        print(json.dumps(one(given.side, given.spec)))
        return 0.0
    if given.smoke:
        given.megabytes, given.vocabulary = 1, 1000
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.data:
            files = sorted(map(str, Path(given.data).rglob("*.txt")))
        else:
            files = [f"{folder}/corpus.txt"]
            generate(Path(files[0]), given.megabytes)
        if not files:
            sys.exit(f"{given.data} has no .txt file.")
        make_tokenizer(files, given.vocabulary, Path(folder, "tokenizer"))
        spec = {"files": files, "tokenizer": f"{folder}/tokenizer", "folder": folder, "processes": given.processes}
        megabytes = sum(Path(name).stat().st_size for name in files) / 1e6
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for side in [*SIDES] if given.smoke else [*SIDES, *reversed(SIDES)] * given.rounds:
            found[side].append(run(side, spec))
    packages = ", ".join(f"{name} {version(name)}" for name in ("tokenizers", "datasets", "transformers", "numpy"))
    print(
        f"{megabytes:.0f} MB of text, {given.processes} processes on {cores()} cores ({platform.machine()}, "
        f"{platform.system()}), Python {platform.python_version()}, {packages}.\n"
    )
    print(table(megabytes, found))
    middle = {side: statistics.median(one["seconds"] for one in runs) for side, runs in found.items()}
    return middle["datasets"] / middle["pretune"]


if __name__ == "__main__":
    main()
