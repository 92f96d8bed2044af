"""Everything that only a GPU can show, in one call that may be cut off at any time.

    python benchmarks/gpu DATA [--minutes 8.5] [--output FOLDER] [--only mlm-128 ...] [--again] [--smoke] [--table]

DATA is what `python benchmarks/gpu/pack.py` writes, or any folder with `wikitext-2/train.txt`, `c4_en_300/train.jsonl`,
`sst2`, `mrpc`, `squad/validation.jsonl` and `model/` (a tokenizer and a configuration). See README.md beside this file.

The measures run one after the other, the most telling first; each side of each is a process of its own, whose result
is written at once to `gpu.json` in FOLDER (with `log.txt`). What that file, or `benchmarks/results/gpu.json`, has for
this card and these versions is not run again, so that the next call goes on where this one ended; --again runs it anew.
A run that fails or takes too long is named in the end and tried again by the next call; figures that it had by then
are kept. Those of --smoke go to `smoke.json`. A call that is ended (Ctrl-C, SIGTERM) ends its processes.

Speed is that of the training loop as a user has it, true tokens (padding not counted) a second: after warm-up, the
median of six windows of a second between events on the device. Beside it: milliseconds a step, the share of the dense
bf16 peak (MFU) of the matrix products that the true tokens need, the peak of memory, the seconds until the first steps
were done less their steady time (compilation), how often a step waits for the device and what was compiled after the
warm-up. Equal on all sides: architecture, tokenizer, texts, batch, bf16 autocast, dropout, fused AdamW, clipping,
masks. While one process measures, the next one may import its libraries and waits (--alone: not even that).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "speed"), str(HERE.parent)]
from side import UNFINISHED, Run, read  # noqa: E402

KNOWN = HERE.parent / "results" / "gpu.json"
"""What earlier calls brought home."""
WORK = Path(tempfile.gettempdir()) / "pretune-gpu"
"""What all calls on a machine share."""
SPARE = 10.0
"""Seconds that are left at the end."""
RESULTS, TRIED = "gpu.json", "smoke.json"
"""Where results go, and those of a trial, which are never taken for others."""
SLOW = 5
"""So many times longer may a smoke run take, wherever it runs."""


def runs(given: argparse.Namespace) -> Iterator[Run]:
    """All runs in their order."""
    from measures import MEASURES, settings_of
    from texts import COPIES, prepare

    for name, measure in MEASURES.items():
        if given.only and name not in given.only:
            continue
        for side, how in measure.sides.items():
            spec = settings_of(name, side, given.smoke)
            fixed = {"kind": measure.kind, "device": given.device, "smoke": given.smoke, "seed": 1, "profile": False}
            fixed |= {"copies": COPIES, "model": str(given.model), "threads": None, "data": str(given.data)}
            fixed |= {"cache": str((given.work / "cache").resolve()), "null": given.null}
            if "task" in spec:
                spec["files"] = prepare(given.data, name, spec["task"], spec, given.work / "texts", COPIES)
            folder = HERE if (HERE / f"{how.program}.py").is_file() else HERE.parent / "speed"
            limit = measure.limit * (SLOW if given.smoke else 1)
            yield Run(name, side, {**spec, **fixed}, folder / f"{how.program}.py", limit)


Runner = Callable[[Run, float], dict[str, Any] | str]


def measure(given: argparse.Namespace, runner: Runner | None) -> list[str]:
    """Runs what is missing while there is time; returns what failed or was left."""
    from store import Store, machine
    from surroundings import same_place

    store, where = Store(given.output / given.file), machine()
    until = time.monotonic() + 60 * given.minutes - SPARE
    earlier = json.loads(KNOWN.read_text()) if KNOWN.is_file() and given.file == RESULTS else {}
    for name, result in earlier.items():
        if name not in store.read():
            store.add(name, result)
    missing = [
        run for run in runs(given) if given.again or not same_place(store.read().get(keyed(run.name, where)), where)
    ]
    failed = []
    with (given.output / "log.txt").open("ab") as log, ExitStack() as ending:
        for run in missing:
            ending.callback(run.clear)  # however this ends
        for number, run in enumerate(missing):
            left = until - time.monotonic()
            if left < min(run.limit, 20):
                failed += [f"{each.name} (no time left)" for each in missing[number:]]
                break
            print(f"{run.name} ...", end=" ", flush=True)
            if runner is not None:
                result = runner(run, left)
            else:
                if run.process is None:
                    run.start()
                following = missing[number + 1] if number + 1 < len(missing) else None
                if following is not None and not given.alone:
                    following.start()
                result = run.finish(left)
                log.write(b"\n=== " + run.name.encode() + b"\n" + run.log())
                log.flush()
                run.clear()
            key = keyed(run.name, where)
            wrong = result if isinstance(result, str) else result.get(UNFINISHED)
            if wrong:
                print(f"FAILED: {wrong}, see log.txt", flush=True)
                failed.append(f"{run.name} ({wrong})")
            else:
                print(brief(result), flush=True)
            if not isinstance(result, str) and not (wrong and same_place(store.read().get(key), where)):
                store.add(key, {**result, **where})  # unfinished figures too, where there are no others
    return failed


def keyed(name: str, where: dict[str, Any]) -> str:
    """A run and the card."""
    return f"{name} @ {where['gpu'] or 'CPU'}"


def brief(result: dict[str, Any]) -> str:
    """One figure for the terminal."""
    value = result.get("value")
    if "failed" in result:
        return f"{value} tests passed, {len(result['failed'])} FAILED" if result["failed"] else f"{value} tests passed"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else "done"


def parse(args: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    from measures import MEASURES

    parser = argparse.ArgumentParser(
        prog="gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", help="of `pack.py`, or a folder with the same files")
    parser.add_argument("--minutes", type=float, default=8.5, help="after which nothing more is begun")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"), help="of gpu.json, log.txt")
    parser.add_argument("--work", type=Path, default=WORK, help="of texts, a model, tokens: not to be carried home")
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), help="these measures")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    parser.add_argument("--alone", action="store_true", help="no process imports anything while another measures")
    parser.add_argument("--model", type=Path, help="tokenizer and configuration; default: DATA/model")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, on whatever there is: no figure is of use")
    parser.add_argument("--table", action="store_true", help="prints what is there and runs nothing")
    given = parser.parse_args(args)
    if not 0 <= given.minutes < math.inf:
        parser.error(f"--minutes is {given.minutes}; it must be a number of minutes, 0 or more")
    if given.data is None and not given.table:
        parser.error("DATA is missing: a folder that benchmarks/gpu/pack.py made")
    return given


def refuse_what_cannot_be(given: argparse.Namespace) -> None:
    """Ends with a message where nothing could be measured, or what is there would be lost."""
    for part in ("wikitext-2", "model"):
        if not (given.data / part).is_dir() and not (part == "model" and given.model):
            sys.exit(f"error: {given.data} has no folder {part}: give one that benchmarks/gpu/pack.py made")
    for path in (given.output / given.file, KNOWN):
        if path.is_file() and not read(path):
            sys.exit(f"error: {path} is damaged: repair it, or move it away to begin anew")


def alone(given: argparse.Namespace, runner: Runner | None) -> list[str]:
    """Measures, unless another call does so into the same folder; what asks it to end ends its processes."""
    from filelock import FileLock, Timeout

    def end(number: int, _: Any) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        with FileLock(given.output / "lock", timeout=0):
            return measure(given, runner)
    except Timeout:
        sys.exit(f"error: another call measures into {given.output}: wait for it, or give another --output")
    finally:
        signal.signal(signal.SIGTERM, before)


def main(args: list[str] | None = None, runner: Runner | None = None) -> int:
    """Runs what is missing and prints the table; returns the number of runs that failed."""
    import surroundings

    given = parse(args)
    failed: list[str] = []
    if not given.table:
        surroundings.prepare(given.data)
        import torch

        given.device = "cuda" if torch.cuda.is_available() else "cpu"
        if given.device == "cpu" and not given.smoke:
            sys.exit("error: there is no CUDA device here; --smoke tries everything in tiny sizes.")
        given.output.mkdir(parents=True, exist_ok=True)
        given.work.mkdir(parents=True, exist_ok=True)
        given.null = os.environ.get("PRETUNE_NULL_GPU", "") == "1"
        given.file = TRIED if given.smoke or given.null else RESULTS
        refuse_what_cannot_be(given)
        given.model = (given.model or surroundings.model_with_weights(given.data, given.work)).resolve()
        failed = alone(given, runner)
    from report import table

    place = given.output / (RESULTS if given.table else given.file)
    if given.table and not place.is_file():
        sys.exit(f"error: there is no {place}: name the folder that holds one with --output")
    found = json.loads(place.read_text()) if place.is_file() else {}
    if given.smoke:
        print("\nTiny sizes: no figure is of use.")
    print(f"\n{table(found, given.only)}")
    if failed:
        print(f"\nNot done: {'; '.join(failed)}")
    return sum("no time left" not in name for name in failed)


if __name__ == "__main__":
    sys.exit(min(1, main()))
