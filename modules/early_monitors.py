"""Metrics that something goes by and nobody will log: said before the data are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ..errors import InputError
from .metrics.directions import Direction, named_directions

if TYPE_CHECKING:
    from .measured import MeasuredModule

OURS = ("pretune.", "lightning.", "pytorch_lightning.")
"""Where classes come from of which it is known what they log."""
SLIP = 0.85
"""How alike two names are of which one is the other, mistyped (as `difflib` measures it)."""
ALWAYS = {"epoch", "step"}
"""What Lightning's `ModelCheckpoint` may go by beside what is logged."""


def check_monitors(module: MeasuredModule, callbacks: Iterable[Any]) -> None:
    """Refuse a metric to go by that validation does not log.

    A module or a callback of the user's may log what it likes: then only `model.monitor` is refused, where nobody knows
    whether it should fall or rise. With a `model.monitor_mode`, which says that something logs it, it is refused where
    it is all but one that is logged.

    Raises:
        InputError: naming what is logged, and what is nearest.
    """
    if not _is_ours(module):
        return
    callbacks = list(callbacks)
    of_callbacks = {name for callback in callbacks for name in getattr(callback, "directions", {})}
    known = sorted(validated(module) | of_callbacks)
    all_known = all(map(_is_ours, callbacks))
    claimed = module.monitor_mode is not None and not get_close_matches(module.monitor, known, n=1, cutoff=SLIP)
    if not _is_logged(module.monitor, known) and (module.direction() is None or (all_known and not claimed)):
        raise InputError(
            f"model.monitor is {module.monitor!r}, which validation does not log{_nearest(module.monitor, known)}; it "
            f"logs: {', '.join(known)}. If a callback or a module of yours logs it, say whether it should fall or "
            "rise: model.monitor_mode: min or max."
        )
    for callback in callbacks if all_known else []:
        name = getattr(callback, "monitor", None)
        if not isinstance(name, str) or getattr(callback, "follows_module", False):
            continue
        if _is_logged(name, known):
            _warn_of_direction(callback, name, module.directions() | named_directions([name], module.parts()))
            continue
        if name in ALWAYS and isinstance(callback, ModelCheckpoint):
            continue
        raise InputError(
            f"The callback {type(callback).__name__} goes by {name!r} (monitor), which validation does not log"
            f"{_nearest(name, known)}; it logs: {', '.join(known)}."
        )


def _warn_of_direction(callback: Any, name: str, directions: Mapping[str, Direction]) -> None:
    """Warn of a metric that goes the wrong way: Lightning's callbacks take every one for one that should fall."""
    mode, right = getattr(callback, "mode", None), directions.get(name)
    if right is not None and mode in ("min", "max") and mode != right:
        kind = type(callback).__name__
        rank_zero_warn(
            f"The callback {kind} takes {name} for better when it is {'lower' if mode == 'min' else 'higher'}, and it "
            f"is not: set its mode: {right}."
        )


def validated(module: MeasuredModule) -> set[str]:
    """Return what the validation of a module of this suite may log, whatever the data are."""
    logged = {name for name in module.directions() if name.startswith("val/")}
    prefixes = [f"val/{part}_" if part else "val/" for part in module.parts()]
    return logged | {prefix + score for prefix in prefixes for score in module.may_score}


def _is_logged(name: str, known: Iterable[str]) -> bool:
    """Return whether a metric will be there; those of training are taken on trust, later loaders end in a number."""
    return name.startswith("train/") or re.sub(r"/dataloader_idx_\d+$", "", name) in known


def _is_ours(thing: Any) -> bool:
    """Return whether it is known what an object logs; Lightning's `LambdaCallback` runs functions of the user's."""
    return type(thing).__module__.startswith(OURS) and not isinstance(thing, LambdaCallback)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
