"""One configuration with several seeds: `python main.py fit --config FILE --seeds 1,2,3,4,5`."""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from ...checkpoints import find_checkpoint, versions
from ...contracts import data_facts, module_facts
from ...errors import InputError, input_error
from ...modules.metrics.majority import majority_scores
from ...text.progress import Rounds
from ..arguments import run_name, runs_folder, values_of, without
from ..terminal import say
from ..trackers import one_group
from .kept_results import aside, read, write
from .one_run import run_alone
from .parsing import ParsingCLI
from .significance import interval, range_of

Scores = dict[str, float]


class FitCLI(ParsingCLI):
    """Train, unless several seeds are asked for: then only read the options, which hold for each of them."""

    @property
    def seeds(self) -> str | None:
        """Return what was asked for, such as `1,2,3`; None where it is one training."""
        seeds = self._get(self.config, "seeds")
        return seeds if seeds is None or isinstance(seeds, str) else str(seeds)

    @property
    @override
    def only_reads(self) -> bool:
        return self.seeds is not None


def seeds_of(text: str) -> list[int]:
    """Return the seeds of a text such as `1,2,3`.

    Raises:
        InputError: if it is none.
    """
    text = text.strip("[]")
    try:
        seeds = [int(seed) for seed in text.split(",")]
    except ValueError:
        seeds = [-1]
    if min(seeds) < 0 or max(seeds) >= 1 << 32 or len(set(seeds)) < len(seeds):
        raise InputError(
            f"--seeds is {text!r}; different whole numbers between commas, such as 1,2,3, would work (0 to 2^32 - 1)."
        )
    return seeds


def run_seeds(text: str, args: Sequence[str]) -> dict[str, Any]:
    """Train each seed, evaluate its best weights on validation, and say how far the seeds are apart.

    What is done is kept in NAME/seed_N and skipped when the command is given again; a run that was killed goes on from
    its last checkpoint; one whose options have changed starts anew. A seed that fails does not stop the others.

    Args:
        text: the seeds, such as `1,2,3`.
        args: what stands after `fit`, as it was read and found right.

    Returns:
        What `seeds.json` holds: the scores of each seed; mean, standard deviation and 95% confidence interval of each
        metric; and which runs failed, and why.

    Raises:
        InputError: if the text is none of seeds, or an option is not for several runs; if a seed broke off, once the
            others are done.
    """
    seeds = seeds_of(text)
    rest = without(args, "seeds")
    if clash := [name for name in ("ckpt_path", "seed_everything") if values_of(rest, name)]:
        raise InputError(f"--seeds trains several runs, each with its own seed: leave --{clash[0]} out.")
    runs, name = runs_folder(rest), run_name(rest)
    root = runs / name
    rest = without(rest, "name", "trainer.default_root_dir")
    done: dict[int, dict[str, Any]] = {}
    broken: dict[int, str] = {}
    rounds = Rounds(len(seeds))
    for seed in seeds:
        try:
            with one_group(name, runs):
                done[seed] = _one(seed, root, rest, rounds)
        except Exception as error:
            broken[seed] = str(input_error(error) or f"{type(error).__name__}: {error}")
        results = summarize(done, broken)
        write(root / "seeds.json", results)
        (root / "seeds.md").write_text(table(results), encoding="utf-8")
    say("\n" + table(results) + f"\nBeside another configuration's seeds, or a run: compare {root} OTHER")
    if broken:
        raise InputError(f"{len(broken)} of {len(seeds)} seeds broke off, the rest is done.")
    return results


def _one(seed: int, root: Path, args: Sequence[str], rounds: Rounds) -> dict[str, Any]:
    """Return the scores of a seed, and train it unless that was done."""
    home = root / f"seed_{seed}"
    state = read(home / "result.json")
    if state and state["options"] != list(args):
        say(f"Seed {seed} starts anew, as options have changed. The earlier run is now {aside(home)}.")
        state = {}
    if state.get("scores"):
        rounds.skip()
        return state
    write(home / "result.json", {"options": list(args)})
    say(f"\nSeed {seed} ({rounds.next()})")
    own = [*args, f"--name={home.name}", f"--trainer.default_root_dir={root}"]
    own += [f"--seed_everything={seed}", f"--data.seed={seed}", "--seeds=null"]
    resumed = any(find_checkpoint(version, "last") for version in versions(home))
    gc.collect()  # a model is part of cycles: the one before would still hold memory of the device
    run_alone(["fit", *own, *(["--ckpt_path=last"] if resumed else [])])
    cli = run_alone(["validate", *own])
    scores = {name: float(value) for name, value in cli.trainer.callback_metrics.items() if name.startswith("val/")}
    model, counts = module_facts(cli.model), data_facts(cli.datamodule).occurrences("validation")
    single = model.problem == "single" and bool(counts)
    state = {
        "options": list(args),
        "scores": scores,
        "monitor": cli.model.monitor,
        "mode": model.mode,
        "commonest": majority_scores(list(counts.values()))["accuracy"] if single else None,
    }
    write(home / "result.json", state)
    return state


def failed(state: dict[str, Any]) -> str | None:
    """Return why a run that came to its end learned nothing, as far as that can be told (arXiv 2006.04884)."""
    scores, commonest = state["scores"], state["commonest"]
    if wrong := [name for name, value in scores.items() if not math.isfinite(value)]:
        return f"{wrong[0]} is not a number"
    if commonest is not None and scores.get("val/accuracy", 1.0) <= commonest:
        return f"accuracy {scores['val/accuracy']:.3f}: always the commonest label has {commonest:.3f}"
    return None


def summarize(done: dict[int, dict[str, Any]], broken: dict[int, str]) -> dict[str, Any]:
    """Return mean, standard deviation and confidence interval of each metric over the seeds."""
    names = list(dict.fromkeys(name for state in done.values() for name in state["scores"]))
    metrics = {}
    percent = {"val/exact_match", "val/f1"} <= set(names)  # answers, as SQuAD counts them
    for name in names:
        values = {seed: state["scores"][name] for seed, state in done.items() if name in state["scores"]}
        metrics[name] = {"seeds": values, **interval(list(values.values()), within=range_of(name, percent))}
    monitor = next((state["monitor"] for state in done.values()), None)
    low = {seed: why for seed, state in done.items() if (why := failed(state)) is not None}
    return {"monitor": monitor, "metrics": metrics, "failed": low, "broke_off": broken}


def table(results: dict[str, Any]) -> str:
    """Return the same as a table in Markdown; the monitored metric first."""
    names = sorted(results["metrics"], key=lambda name: name != results["monitor"])
    seeds = list(dict.fromkeys(seed for entry in results["metrics"].values() for seed in entry["seeds"]))
    lines = [
        f"| metric | mean | std | 95% of the mean | {' | '.join(f'seed {seed}' for seed in seeds)} |",
        "|---" * (4 + len(seeds)) + "|",
    ]
    for name in names:
        entry = results["metrics"][name]
        cells = [f"{entry['mean']:.4f}", "-", "-"]
        if entry["std"] is not None:
            cells[1:] = [f"{entry['std']:.4f}", f"{entry['low']:.4f} to {entry['high']:.4f}"]
        cells += [f"{entry['seeds'][seed]:.4f}" if seed in entry["seeds"] else "-" for seed in seeds]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if len(seeds) == 2:
        lines += ["", "Two seeds say little of the spread: with five the interval is about a seventh as wide."]
    lines += ["", f"Failed runs, which learned nothing: {len(results['failed'])} of {len(seeds)}."]
    lines += [f"- seed {seed}: {why}" for seed, why in results["failed"].items()]
    lines += [f"- seed {seed} broke off: {why}" for seed, why in results["broke_off"].items()]
    return "\n".join(lines) + "\n"
