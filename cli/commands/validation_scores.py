"""Runs compared by their scores on validation: what `compare` does where nothing was predicted yet."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...checkpoints import versions
from ...errors import InputError
from ...text.visible import visible
from ..terminal import say
from .significance import POSITIVE, interval, welch
from .validated_on import different_rows, options_of

OF_A_START = ("seed_everything", "name", "seeds", "ckpt_path", "config", "stop_after")
"""What may differ between runs of one configuration."""
CAVEAT = (
    "These are scores on validation, by which the kept weights were chosen: `predict` on held-out rows with labels, in "
    "both, lets `compare` say more."
)


@dataclass
class Side:
    """The scores of the runs of one configuration.

    Args:
        name: of the folder.
        scores: of each run, by seed.
        monitor: the metric that the weights were chosen by.
        mode: `min` or `max`: whether it should fall or rise, where the runs say so.
        data: the options of data that say on which rows, as far as they are known.
    """

    name: str
    scores: dict[str, dict[str, float]]
    monitor: str | None
    mode: str | None
    data: dict[str, Any] = field(default_factory=dict)

    def of(self, metric: str) -> dict[str, float]:
        """Return one score of each seed."""
        return {seed: scores[metric] for seed, scores in self.scores.items() if metric in scores}

    @property
    def metrics(self) -> list[str]:
        """Return what all runs know."""
        known = [set(scores) for scores in self.scores.values()]
        return sorted(set.intersection(*known)) if known else []


def compare_validation(first: str, second: str | None, metric: str | None = None) -> dict[str, Any]:
    """Return mean, spread and number of the seeds, of one side or of both, and whether a difference is real.

    Args:
        first: the folder of `fit --seeds`, or of runs of one configuration that differ in their seed, or a run.
        second: the other; null describes the first alone.
        metric: such as `f1`; null takes the one that the weights were chosen by.

    Returns:
        `metric`; for each side `mean`, `std`, `n` and `seeds`; of two, `difference`, its interval, and `p`, and
        under `validated_on` in what their rows differ, if they do.

    Raises:
        InputError: if there are no scores, or no metric in common.
    """
    sides = [scores_of(run) for run in (first, second) if run is not None]
    name = f"val/{metric}" if metric else next((side.monitor for side in sides if side.monitor), None)
    common = set.intersection(*(set(side.metrics) for side in sides))
    if name not in common:
        raise InputError(
            f"{' and '.join(side.name for side in sides)} {'has' if len(sides) == 1 else 'have'} no score {name!r} in "
            f"all their runs; there {'are' if common else 'is'}: {', '.join(sorted(common)) or 'none'}."
        )
    values = [list(side.of(name).values()) for side in sides]
    told = [
        {"mean": statistics.fmean(v), "std": interval(v)["std"], "n": len(v), "seeds": side.of(name)}
        for side, v in zip(sides, values, strict=True)
    ]
    results: dict[str, Any] = {"metric": name, "sides": told}
    if len(sides) == 2:
        results |= welch(values[0], values[1])
        if apart := different_rows(sides[0].data, sides[1].data):
            results["validated_on"] = apart
    say(visible("\n".join(_report(results, sides))))
    return results


def _report(results: dict[str, Any], sides: list[Side]) -> list[str]:
    name = results["metric"]
    lines = [f"{name} of {side.name}: {spread(told)}." for side, told in zip(sides, results["sides"], strict=True)]
    if len(sides) == 1:
        if results["sides"][0]["n"] < 2:
            lines.append("One run: how far seeds are apart, this cannot say (fit --seeds 1,2,3).")
        return lines
    if apart := results.get("validated_on"):
        return [
            *lines,
            f"They were validated on different data ({'; '.join(apart)}): these scores cannot say which is better. "
            "`predict` on the same held-out rows with labels, in both, lets `compare` say it.",
        ]
    gap = results["difference"]
    ahead = sides[1 if (gap > 0) is not _falls(name, sides) else 0].name
    if results["low"] is None:
        lines.append(f"Difference {gap:+.4f}.")
        alone = [side.name for side, told in zip(sides, results["sides"], strict=True) if told["n"] < 2]
        verdict = "Neither is better." if gap == 0 else f"{ahead} is ahead by {abs(gap):.4f}, which could be chance:"
        lines.append(f"{verdict} one run of {' and of '.join(alone)} says nothing of the spread (fit --seeds 1,2,3).")
    else:
        low, high = results["low"], results["high"]
        lines.append(
            f"Difference {gap:+.4f}, 95% interval {low:+.4f} to {high:+.4f}, p = {results['p']:.4f} (Welch's t)."
        )
        if gap == 0:
            lines.append("Neither is better.")
        else:
            real = low > 0 or high < 0
            lines.append(
                f"{ahead} is {'better' if real else 'ahead'} by {abs(gap):.4f}"
                + (": that is real." if real else ", which could be chance.")
            )
    return [*lines, CAVEAT]


def spread(told: dict[str, Any], places: int = 4) -> str:
    """Return mean, standard deviation and number of seeds, as they are printed everywhere."""
    std = "-" if told["std"] is None else f"{told['std']:.{places}f}"
    seeds = told.get("seeds")
    return f"mean {told['mean']:.{places}f}, std {std}, n {told['n']}" + (
        f" (seeds {', '.join(seeds)})" if seeds and len(seeds) > 1 else ""
    )


def _falls(name: str, sides: list[Side]) -> bool:
    """Whether a score is better when it is lower: as the runs say, else by its name."""
    modes = {side.mode for side in sides if side.monitor == name and side.mode}
    return modes == {"min"} if modes else name.endswith((*POSITIVE, "bits_per_byte"))


# ---------------------------------------------------------------------- reading


def scores_of(run: str) -> Side:
    """Return the scores of a folder of seeds, of the versions of one configuration, or of a single run.

    Raises:
        InputError: if there is no such folder, or nothing in it was scored.
    """
    root = Path(run)
    if root.is_file():
        raise InputError(f"{run} is a file: name the run folder, or a second file of predictions to compare it with.")
    if not root.is_dir():
        raise InputError(f"There is no run folder {run}.")
    seeds = sorted(root.glob("seed_*[0-9]"), key=lambda home: (len(home.name), home.name))
    states = {
        home.name.removeprefix("seed_"): _read(home / "result.json") for home in seeds if "_old_" not in home.name
    }
    states = {seed: state for seed, state in states.items() if state.get("scores")}
    data = next(filter(None, (options_of(root / f"seed_{seed}") for seed in reversed(states))), {})
    if not states:
        states = _versions(root)
        data = next((state["data"] for state in reversed(states.values())), {})
    if not states:
        raise InputError(f"{run} holds no run with scores on validation: train there, with validation data.")
    newest = list(states.values())[-1]
    scores = {seed: _numbers(state["scores"]) for seed, state in states.items()}
    return Side(run.rstrip("/"), scores, newest.get("monitor"), newest.get("mode"), data)


def _versions(root: Path) -> dict[str, dict[str, Any]]:
    """Return the newest version of each seed, of those that are of the newest one's configuration."""
    newest: dict[str, dict[str, Any]] = {}
    wanted: Any = None
    for version in reversed([root, *versions(root)]):
        fit = _read(version / "summary.json").get("fit") or {}
        if not _numbers(fit.get("kept") or {}):
            continue
        try:
            config = yaml.safe_load((version / "config.yaml").read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError):
            config = {}
        seed = str(config.get("seed_everything", 0))
        wanted = _lasting(config) if wanted is None else wanted
        if _lasting(config) == wanted and seed not in newest:
            known = {"monitor": fit.get("monitor"), "mode": fit.get("mode"), "data": options_of(version)}
            newest[seed] = {"scores": fit["kept"], **known}
    return dict(reversed(newest.items()))


def _lasting(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without what tells its repetitions apart."""
    kept = {key: value for key, value in config.items() if key not in OF_A_START}
    if isinstance(data := kept.get("data"), dict) and isinstance(options := data.get("init_args"), dict):
        kept["data"] = {**data, "init_args": {key: value for key, value in options.items() if key != "seed"}}
    return kept


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in scores.items()
        if name.startswith("val/") and isinstance(value, int | float) and math.isfinite(value)
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
