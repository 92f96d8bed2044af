"""What is wrong with a class of the user's own that a configuration names."""

from __future__ import annotations

import re
import traceback
from importlib import import_module
from types import FunctionType

NAMED = re.compile(r"class_path'?:? '([\w.]+\.\w+)'|Given value: ([A-Za-z_]\w*(?:\.\w+)+)$", re.MULTILINE)


def why_not(message: str) -> str | None:
    """Why a class that a parser's message is about cannot be had; None where it can, or there is none.

    The parser knows only that no type fitted: the classes are looked for again, to see what happens.
    """
    for found in NAMED.finditer(message):
        path = found[1] or found[2]
        if why := _missing(path, "function" if "expects a function" in message else "class"):
            return why
    return None


def _missing(path: str, what: str) -> str | None:
    place, _, name = path.rpartition(".")
    try:
        module = import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            return f"{path}: {place} cannot be imported: {error}."
        return (
            f"there is no module {error.name!r}, for {path}: it would be found in the working folder, beside the YAML, "
            "among what is installed, or in a folder that PYTHONPATH names."
        )
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError):
            return f"{path}: {place} cannot be imported: {type(error).__name__}: {error}."
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{path}: {place} cannot be imported: {type(error).__name__}: {error} ({last.filename}:{last.lineno})."
    if hasattr(module, name):
        return None
    kinds: tuple[type, ...] = (type,) if what == "class" else (type, FunctionType)
    known = [(key, value) for key, value in vars(module).items() if isinstance(value, kinds)]
    there = sorted(key for key, value in known if value.__module__ == module.__name__ and not key.startswith("_"))
    return f"{place} has no {what} {name!r}; it has: {', '.join(there) or 'none'}."
