"""Classes of the user's own that a configuration names: where they are found, and what is wrong with them."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import FunctionType

NAMED = re.compile(r"class_path'?:? '([\w.]+\.\w+)'|Given value: ([A-Za-z_]\w*(?:\.\w+)+)$", re.MULTILINE)


def see_own_code(args: Sequence[str]) -> None:
    """Let YAML name classes of files in the working folder and beside the YAML, as `class_path: mine.Mine`.

    They come last, so that a file of the user's cannot stand in for a library. The folder of main.py, which Python
    puts first when it runs as a script, goes: what is in it is the package `pretune`, and `modules` or `runs` are
    names that a user may well use.

    Args:
        args: the verb and its arguments.
    """
    here = Path(__file__).resolve().parents[1]
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    files = [after for option, after in pairwise(args) if option in ("--config", "-c")]
    files += [argument.partition("=")[2] for argument in args if argument.startswith("--config=")]
    for folder in [Path.cwd(), *(Path(file).resolve().parent for file in files if os.path.isfile(file))]:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def why_not(message: str) -> str | None:
    """Return why a class that a parser's message is about cannot be had; None where it can, or there is none.

    The parser knows only that no type fitted: the classes are looked for again, to see what happens.
    """
    for match in NAMED.finditer(message):
        path = match[1] or match[2]
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
    public = sorted(key for key, value in known if value.__module__ == module.__name__ and not key.startswith("_"))
    return f"{place} has no {what} {name!r}; it has: {', '.join(public) or 'none'}."
