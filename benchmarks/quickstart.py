"""Pretraining pays: the same classifier from scratch and from a model pretrained on this machine's own documentation.

    python benchmarks/quickstart.py [--seeds 1 2 3] [--config OVERLAY.yaml ...]

Every line that starts with `$` is an ordinary command that can be repeated by itself.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pretune.cli.terminal import say
from pretune.main import main

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "quickstart"


def command(verb: str, config: str, overlays: list[str], *options: str) -> Path:
    """Run one command, shown before it runs, and return its run folder."""
    path = CONFIGS / f"{config}.yaml"
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    extra = [part for overlay in overlays for part in ("--config", overlay)]
    args = [verb, "--config", str(shown), *extra, *options]
    print(f"\n$ python main.py {shlex.join(args)}", flush=True)
    return main(args).run.folder


def run(seeds: list[int], overlays: list[str]) -> dict[str, list[float]]:
    """Pretrain once, fine-tune from it and from scratch for each seed, and print one table.

    Returns:
        Test accuracies by start, in the order of the seeds.
    """
    began = time.monotonic()
    command("fit", "pretrain", overlays)
    seconds = {"pretraining": time.monotonic() - began}
    scores: dict[str, list[float]] = {"scratch": [], "pretrained": []}
    for start, accuracies in scores.items():
        since = time.monotonic()
        for seed in seeds:
            options = (f"--seed_everything={seed}", f"--data.seed={seed}")
            command("fit", start, overlays, *options)
            folder = command("test", start, overlays, *options)
            accuracies.append(json.loads((folder / "summary.json").read_text())["test"]["test/accuracy"])
        seconds[start] = time.monotonic() - since
    table = Table()
    for column in ("start", "test accuracy", "spread", "seconds"):
        table.add_column(column, justify="left" if column == "start" else "right")
    for start, accuracies in scores.items():
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        table.add_row(start, f"{statistics.mean(accuracies):.1%}", f"± {100 * spread:.1f}", f"{seconds[start]:.0f}")
    gain = 100 * (statistics.mean(scores["pretrained"]) - statistics.mean(scores["scratch"]))
    say(f"\nWhich package is a docstring from, names hidden? 100 labels a class, {len(seeds)} seeds:")
    Console().print(table)
    say(
        f"Pretraining took {seconds['pretraining']:.0f} seconds and brought {gain:+.1f} points; "
        f"everything took {time.monotonic() - began:.0f} seconds.\nThe models: runs/quickstart-*/version_*/export"
    )
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--config", action="append", default=[], help="overlay for every command")
    options = parser.parse_args()
    run(options.seeds, options.config)
