"""Names of classes that there are not, and which were probably meant."""

from __future__ import annotations

import inspect
import os
from difflib import get_close_matches
from typing import Any

from .known_options import PARTS, SECTIONS, classes, example


def unknown_class(name: str, option: str) -> str:
    """Return what is said of a name that no class has.

    Args:
        name: as it is written.
        option: the full key that it is the value of; empty where nobody knows.
    """
    if option in SECTIONS:
        return f"{option} is {name!r}; {example(option)}, or null would work."
    part = option.partition(".")[0]
    where = f"{option}: " if option else ""
    names = _names(option)
    if part in PARTS and option == part and ("/" in name or "-" in name or os.path.exists(name)):
        what = "--model.backbone" if part == "model" else "--data.train_files"
        return f"{where}there is no class {name!r}: --{part} CLASS names one of {', '.join(names)}; {what} {name}."
    return f"{where}there is no class {name!r}{nearest(name, names)}; there are: {', '.join(names)}."


def _names(option: str) -> list[str]:
    """Return the classes that an option takes; those of models and data where nobody knows."""
    if option in PARTS:
        return sorted(kind.__name__ for kind in classes(PARTS[option]))
    last = option.rpartition(".")[2]
    if option.startswith("trainer.") and last in ("callbacks", "logger"):
        return _of_lightning(last)
    return sorted(kind.__name__ for base in PARTS.values() for kind in classes(base))


def _of_lightning(what: str) -> list[str]:
    from lightning.pytorch import callbacks, loggers

    from ...modules import callbacks as ours
    from .. import callbacks as switched_on

    modules: list[Any] = [callbacks, ours, switched_on] if what == "callbacks" else [loggers]
    base = callbacks.Callback if what == "callbacks" else loggers.Logger
    kinds = {kind.__name__ for module in modules for kind in vars(module).values() if _is_kind(kind, base)}
    return sorted(kinds)


def _is_kind(kind: Any, base: type[Any]) -> bool:
    return isinstance(kind, type) and issubclass(kind, base) and kind is not base and not inspect.isabstract(kind)


def nearest(word: str, known: list[str]) -> str:
    """Return the names that are most like a word, for a message; empty where none is."""
    by_lower = {name.lower(): name for name in reversed(known)}
    close = get_close_matches(word.lower(), by_lower, n=2)
    begun = [name for name in by_lower if len(word) > 2 and name.startswith(word.lower())]
    near = [by_lower[name] for name in dict.fromkeys([*close, *begun])][:2]
    return f" (did you mean {' or '.join(near)}?)" if near else ""
