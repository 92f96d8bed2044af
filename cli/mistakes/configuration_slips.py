"""What is wrong in a configuration that the parser refused: each key is looked at, with its file and line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger

from ..verbs import VERBS
from .chosen_classes import ChosenClasses, Items, beside, classless
from .known_options import PARTS, SECTIONS, find_class
from .listed_classes import unknown_option
from .suggestions import written as nested
from .written import SUFFIXES, Written

OWN_KEYS = ("class_path", "init_args", "dict_kwargs", "__path__")
OTHER_KEYS = {
    **dict.fromkeys(("class", "cls", "classpath", "class_name", "target", "type"), "class_path"),
    **dict.fromkeys(("args", "arguments", "params", "parameters", "kwargs", "options", "init", "initargs", "init_arg"),
                    "init_args"),
}  # fmt: skip
"""What the keys of a class are called elsewhere."""
LISTS = {"trainer.callbacks": Callback, "trainer.logger": Logger}


class ConfigurationSlips:
    """Looks through configurations, and notes the classes that they name.

    Args:
        chosen: what was named before them.
    """

    def __init__(self, chosen: ChosenClasses) -> None:
        self.chosen = chosen

    def first(self, written: Written, later: Items) -> str | None:
        """Return the first slip of a configuration, with its cure.

        Args:
            written: the configuration with its lines.
            later: what follows on the command line.
        """
        for key, value in written.values.items():
            place = written.place((str(key),))
            path = str(key).split(".")
            if key in OWN_KEYS:
                return f"{place}: {key} stands at the top; it belongs below `model:` or `data:`."
            if path[0] in PARTS and len(path) > 1:
                return f"{place}: {key} is written {nested(key)} in a configuration."
            if key in VERBS and isinstance(value, dict) and {*PARTS, "trainer"} & {*value}:
                return (
                    f"{place}: the options stand below `{key}:`; they stand at the top of the file here, as "
                    f"{', '.join(f'`{inner}:`' for inner in list(value)[:3])}: take that line out and indent less."
                )
            if path[0] in PARTS and len(path) == 1:
                slip = self.part(path[0], value, written, (str(key),), later)
            else:
                slip = self._below(path, value, written, (str(key),))
            if slip is not None:
                return slip
        return None

    def _below(self, keys: list[str], value: Any, written: Written, path: tuple[str, ...]) -> str | None:
        """Return the first slip of an option and those below it."""
        key = ".".join(keys)
        if key not in self.chosen.known:
            return self.chosen.unknown(key, written.place(path))
        if key in LISTS:
            return self._entries(key, value, written, path)
        if isinstance(value, dict) and key in (*SECTIONS, "trainer"):
            for inner, below in value.items():
                if key == "data.tokenizer" and inner in OWN_KEYS:
                    continue
                if slip := self._below([*keys, str(inner)], below, written, (*path, str(inner))):
                    return slip
        return None

    def _entries(self, key: str, value: Any, written: Written, path: tuple[str, ...]) -> str | None:
        """Return the first slip of callbacks and loggers."""
        for number, entry in enumerate(value if isinstance(value, list) else [value]):
            at = (*path, str(number)) if isinstance(value, list) else path
            if not isinstance(entry, dict):
                continue
            if wrong := unknown_option(entry, LISTS[key]):
                return f"{written.place((*at, 'init_args', wrong[0]))}: {wrong[1]}"
            outside = [str(inner) for inner in entry if inner not in OWN_KEYS]
            if not outside:
                continue
            where, name = written.place((*at, outside[0])), entry.get("class_path")
            if name is not None:
                return f"{where}: {beside(outside[0])}"
            if "init_args" not in entry and outside[0][:1].isupper():
                return (
                    f"{where}: a class of {key} is written `class_path: {outside[0]}`, and its options stand below "
                    "`init_args:`."
                )
        return None

    def part(self, part: str, value: Any, written: Written, path: tuple[str, ...], later: Items) -> str | None:
        """Return the first slip below `model:` or `data:`.

        Args:
            part: which of them.
            value: what stands there.
            written: the configuration with its lines.
            path: of keys, to the part.
            later: what follows on the command line.
        """
        if isinstance(value, str):
            self.chosen.kinds[part] = find_class(value, PARTS[part])
            if (
                self.chosen.kinds[part] is None
                and part == "data"
                and Path(value).suffix not in SUFFIXES
                and os.path.exists(value)
            ):
                inside = f"{{class_path: CLASS, init_args: {{{self.chosen.files_option}: {value}}}}}"
                return f"{written.place(path)}: data names a class: `data: {inside}` reads files."
            return None
        if not isinstance(value, dict):
            return None
        if not isinstance(init := value.get("init_args", {}), dict | None):
            place = written.place((*path, "init_args"))
            return f"{place}: {part}.init_args is {init!r}; options, as `init_args: {{name: value}}`, would work."
        for key in value:
            meant = OTHER_KEYS.get(str(key).strip("_").lower())
            if meant and meant not in value and key not in OWN_KEYS and f"{part}.{key}" not in self.chosen.known:
                return f"{written.place((*path, str(key)))}: `{key}:` is written `{meant}:` here."
        options = value.get("init_args", {k: v for k, v in value.items() if k not in OWN_KEYS})
        options = options if isinstance(options, dict) else {}
        if isinstance(name := value.get("class_path"), str):
            self.chosen.kinds[part] = find_class(name, PARTS[part])
            other = next(other for other in PARTS if other != part)
            if self.chosen.kinds[part] is None and find_class(name, PARTS[other]) is not None:
                return f"{written.place((*path, 'class_path'))}: {name} is a class for `{other}:`, not for `{part}:`."
            if self.chosen.kinds[part] is None:
                return None
            if outside := [key for key in value if key not in OWN_KEYS]:
                return self._outside(part, str(outside[0]), written, path)
        elif part not in self.chosen.kinds:
            if not options:
                return None
            where = written.place(path)
            return self.chosen.too_early(part, where, later) or (
                f"{where}: {classless(part, list(options))}: `{part}: {{class_path: CLASS, init_args: {{...}}}}`, "
                "here or in a configuration that is given before."
            )
        if self.chosen.kinds[part] is None:
            return None
        at = (*path, "init_args") if "init_args" in value else path
        for key, below in options.items():
            if slip := self._below([part, str(key)], below, written, (*at, str(key))):
                return slip
        return None

    def _outside(self, part: str, key: str, written: Written, path: tuple[str, ...]) -> str:
        """Return what to say of what stands beside `class_path`, not below `init_args`."""
        where = written.place((*path, key))
        if f"{part}.{key}" in self.chosen.known:
            return f"{where}: {beside(key)}"
        if key in self.chosen.known:
            return f"{where}: {key} is no option of a class: `{key}:` stands at the top of the file."
        return self.chosen.unknown(f"{part}.{key}", where)
