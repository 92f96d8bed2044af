"""Breaks trainings in counted, seeded ways, and tells what is lost: `python tests/faults --kills 100 --signals 50 ...`.

Goes on where it was interrupted, with the same seed and folder. All that is random in a trial follows from the seed and
its number; what a process does at the moment it names, only nearly. Trials that did not go right keep their folders.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from damaging import damage
from filling import fill
from forked import import_everything
from killing import kill
from material import Material
from namespaces import own_mounts
from numeric import inject
from racing import race
from signaling import interrupt
from trial import Outcome, Trial

KINDS: dict[str, Callable[[Trial], Outcome]] = {
    "kills": kill, "signals": interrupt, "damages": damage, "races": race, "full_disks": fill, "numbers": inject,
}  # fmt: skip
VERDICTS = ("right", "lost", "silent", "rough")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="a single number, of all kinds that are asked for")
    parser.add_argument("--output", type=Path, help="write the table here, too")
    parser.add_argument("--folder", type=Path, help="for what is trained, and for results, from which it goes on")
    options = parser.parse_args()
    wanted = {kind: range(getattr(options, kind)) for kind in KINDS if getattr(options, kind)}
    if options.only is not None:
        wanted = {kind: range(options.only, options.only + 1) for kind in wanted}
    root = (options.folder or Path(tempfile.gettempdir(), f"pretune-faults-{options.seed}")).resolve()
    (root / "trials").mkdir(parents=True, exist_ok=True)
    results = root / "results.jsonl"
    import_everything()
    if "full_disks" in wanted and not own_mounts():
        print("No mounts of one's own here: full disks are left out.", file=sys.stderr)
        del wanted["full_disks"]
    material = Material(root / "material")
    for kind, numbers in wanted.items():
        for number in numbers:
            if (kind, number) in read(results, options.seed) and options.only is None:
                continue
            trial = Trial(kind, number, options.seed, material, root / "trials")
            shutil.rmtree(trial.folder, ignore_errors=True)
            began = time.monotonic()
            try:
                outcome = KINDS[kind](trial)
            except Exception as error:
                outcome = trial.outcome("rough", f"the harness gave up: {error!r}")
            if outcome.verdict == "right":
                shutil.rmtree(trial.folder, ignore_errors=True)
            entry = {"kind": kind, "number": number, "seed": options.seed, **vars(outcome)}
            with results.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            print(f"{kind} {number}: {outcome.verdict} ({time.monotonic() - began:.1f} s; {outcome.what})", flush=True)
    done = read(results, options.seed)
    text = table({kind: [done[kind, n] for n in numbers] for kind, numbers in wanted.items()}, options.seed)
    print(f"\n{text}")
    if options.output is not None:
        options.output.write_text(text)
    return int(any(done[kind, n]["verdict"] in VERDICTS[1:] for kind, numbers in wanted.items() for n in numbers))


def read(results: Path, seed: int) -> dict[tuple[str, int], dict[str, str]]:
    """What is known of a seed, by kind and number."""
    lines = results.read_text().splitlines() if results.is_file() else []
    found = [json.loads(line) for line in lines]
    return {(entry["kind"], entry["number"]): entry for entry in found if entry["seed"] == seed}


def table(results: dict[str, list[dict[str, str]]], seed: int) -> str:
    """Counts of each kind, with the first failure of each, in Markdown."""
    lines = ["| kind | tried | right | lost | silent | rough | first failure |", "|---|--:|--:|--:|--:|--:|---|"]
    for kind, entries in results.items():
        tried = [entry for entry in entries if entry["verdict"] in VERDICTS]
        counts = [sum(entry["verdict"] == verdict for entry in tried) for verdict in VERDICTS]
        bad = next((entry for entry in tried if entry["verdict"] != "right"), None)
        first = f"{bad['verdict']}: {bad['what']} (--seed {seed} --only {bad['number']})" if bad else ""
        lines.append(" | ".join(["| " + kind, str(len(tried)), *map(str, counts), first.replace("|", "/")]) + " |")
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "lightning", "transformers"))
    lines += ["", f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {versions}, seed {seed}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
