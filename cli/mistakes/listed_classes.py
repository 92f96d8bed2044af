"""Options of callbacks and loggers, which are listed with their classes: a slip in them is found by its line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from .class_names import nearest
from .known_options import find_class, options_of


def unknown_option(entry: Mapping[Any, Any], base: type[Any]) -> tuple[str, str] | None:
    """Return the first option of an entry that its class does not have, and what to say of it.

    Args:
        entry: with `class_path` and `init_args`.
        base: of such classes.

    Returns:
        None where all are known; where nobody knows the class; and where it takes whatever it is given.
    """
    name, init_args = str(entry.get("class_path")), entry.get("init_args")
    kind = find_class(name, base) or next((kind for kind in _below(base) if kind.__name__ == name), None)
    if kind is None or not isinstance(init_args, Mapping):
        return None
    if _takes_anything(kind):
        return None
    options = options_of(kind)
    wrong = next((str(key) for key in init_args if key not in options), None)
    if wrong is None:
        return None
    return wrong, f"{kind.__name__} has no option {wrong!r}{nearest(wrong, options)}; there are: {', '.join(options)}."


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _below(kind)


def _takes_anything(kind: type[Any]) -> bool:
    """Return whether a class hands options that it does not know on to something else than a class above it."""
    for ancestor in inspect.getmro(kind):
        if ancestor is not object and "__init__" in vars(ancestor):
            options = inspect.signature(vars(ancestor)["__init__"]).parameters.values()
            if all(option.kind != option.VAR_KEYWORD for option in options):
                return False
    return True
