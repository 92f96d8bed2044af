"""Options that are null and have no such value: the parser lets null through where it fills a class's options in."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from ...errors import InputError
from ..parser import as_plain
from .known_options import PARTS, find_class

GROUPS = {
    "trainer": "trainer.max_epochs and others set its options",
    "pace": "pace.validate_every null and pace.validation_share null switch off what it does",
    "checkpoint": "checkpoint.every_n_minutes null saves after validations only",
}
"""Groups of options, and what would work."""
Option = tuple[Any, Any]
"""A type and a default."""


def refuse_null_options(parser: argparse.ArgumentParser, config: Any) -> None:
    """Refuse null for whatever the type of an option does not allow it, in a command and in classes of ours.

    Args:
        parser: of one command.
        config: as it was parsed.

    Raises:
        InputError: naming the option, and what it is where it is left out; or if a part has options and no class.
    """
    plain = as_plain(config)
    for group in GROUPS:
        if group in plain and plain[group] is None:
            raise null_group(group)
    for action in parser._actions:
        kind: Any = getattr(action, "_typehint", None)
        if kind is not None and "." not in action.dest.removeprefix("trainer."):
            above, _, name = action.dest.rpartition(".")
            _refuse(
                above,
                {name: (plain.get(above, {}) if above else plain).get(name, kind)},
                {name: (kind, action.default)},
            )
    for part, base in PARTS.items():
        section = plain.get(part)
        if not isinstance(section, Mapping):
            continue
        class_path = section.get("class_path")
        if class_path is None or find_class(str(class_path), base) is base:  # what the parser takes for it
            raise InputError(
                f"{part} has no class_path, so nothing says which class it is: `{part}: {{class_path: CLASS, "
                f"init_args: {{...}}}}`, or --{part} CLASS."
            )
        kind = find_class(str(class_path), base)
        if kind is not None and kind.__module__.startswith("pretune."):
            _refuse(part, section.get("init_args") or {}, typed_options(kind))


def null_group(group: str) -> InputError:
    """Return what to say where a group of options is null."""
    return InputError(f"{group} is null, which is no value of it; {GROUPS[group]}.")


def typed_options(kind: type[Any]) -> dict[str, Option]:
    """Return the options of a class of ours, and of the classes that it passes others on to."""
    if dataclasses.is_dataclass(kind):
        return _typed(kind)
    options: dict[str, Option] = {}
    for ancestor in inspect.getmro(kind):
        if ancestor.__module__.startswith("pretune.") and "__init__" in vars(ancestor):
            options = {**_typed(ancestor), **options}
    return options


def _typed(kind: type[Any]) -> dict[str, Option]:
    init = vars(kind)["__init__"]
    hints = get_type_hints(kind if dataclasses.is_dataclass(kind) else init)
    parameters = list(inspect.signature(init).parameters.values())[1:]
    return {
        option.name: (hints[option.name], option.default)
        for option in parameters
        if option.name in hints and option.kind in (option.POSITIONAL_OR_KEYWORD, option.KEYWORD_ONLY)
    }


def _refuse(prefix: str, values: Mapping[str, Any], options: Mapping[str, Option]) -> None:
    for name, value in values.items():
        if name not in options:
            continue
        kind, default = options[name]
        if value is None and kind is not Any and type(None) not in get_args(kind):
            left_out = "" if default is inspect.Parameter.empty else f": left out, it is {default!r}"
            raise InputError(f"{prefix}.{name}".strip(".") + f" is null, which is no value of it{left_out}.")
        groups = [group for group in get_args(kind) or (kind,) if dataclasses.is_dataclass(group)]
        if isinstance(value, Mapping) and groups:  # whichever it is, as far as its keys tell
            known = [typed_options(group) for group in groups if isinstance(group, type)]
            _refuse(f"{prefix}.{name}", value, next((entry for entry in known if set(value) <= set(entry)), {}))
