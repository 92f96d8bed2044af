"""The metric that early stopping and the best checkpoint go by, and whether it should fall or rise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .metrics.directions import Direction, named_directions, redirect

if TYPE_CHECKING:
    from .measured import MeasuredModule


def callbacks_of(module: MeasuredModule) -> list[Any]:
    """Return the callbacks of a module's trainer; none where it has no trainer."""
    return getattr(module._trainer, "callbacks", None) or []


def monitor_direction(module: MeasuredModule) -> Direction | None:
    """Return whether the monitored metric should fall or rise; None where nobody knows.

    Before the network is built, metrics are known by their names alone.

    Raises:
        InputError: if `monitor_mode` says something else than the metric.
    """
    of_callbacks = {name: d for c in callbacks_of(module) for name, d in getattr(c, "directions", {}).items()}
    known = {**of_callbacks, **module.directions()}.get(module.monitor)
    if known is not None and module.monitor_mode not in (None, known):
        raise InputError(
            f"model.monitor_mode is {module.monitor_mode}, but {module.monitor} is better when it is "
            f"{'lower' if known == 'min' else 'higher'}: leave model.monitor_mode out."
        )
    return known or module.monitor_mode or named_directions([module.monitor], module.parts()).get(module.monitor)


def known_direction(module: MeasuredModule) -> Direction:
    """Return whether the monitored metric should fall or rise.

    Raises:
        InputError: if neither the metric nor `monitor_mode` says so.
    """
    direction = module.direction()
    if direction is None:
        logged = ", ".join(sorted(name for name in module.directions() if name.startswith("val/")))
        raise InputError(
            f"model.monitor is {module.monitor!r}, which validation does not log of itself; it logs: {logged}. If a "
            "callback or a module of yours logs it, say whether it should fall or rise: model.monitor_mode: min or max."
        )
    return direction


def change_monitor(module: MeasuredModule, name: str) -> None:
    """Have a module, and the callbacks that go by the same metric, go by another one.

    Args:
        module: what suits it was not known before its data were.
        name: of the metric.
    """
    before, module.monitor = module.monitor, name
    for callback in callbacks_of(module):
        if getattr(callback, "monitor", None) == before:
            redirect(callback, name, module.mode)


def direct_followers(module: MeasuredModule) -> None:
    """Tell the callbacks that go by a module's metric which way it should go, now that the metric can be asked."""
    for callback in callbacks_of(module):
        if getattr(callback, "follows_module", False) and callback.mode != module.mode:
            redirect(callback, module.monitor, module.mode)
