"""What a search leaves alone: options that the user fixed, as far as that can be told from what was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...errors import InputError
from ..arguments import read_config, values_of
from .search_space import RATE, Space

INSTEAD = {
    "trainer.max_epochs": ("trainer.max_steps", "trainer.max_time", "pace.epochs"),
    "data.batch_size": ("data.tokens_per_batch",),
}
"""Options that decide the same as another one."""


def leave_out_fixed(space: Space, args: Sequence[str], shipped: bool) -> None:
    """Take options out of a space that are fixed, and say so.

    What stands on the command line is fixed. What a configuration says is fixed as well where the space is the shipped
    one, but for the learning rate: every configuration has one, and finding it is what a search is for. A space of the
    user's own searches all that it names.

    Args:
        space: changed in place.
        args: the options of `fit`.
        shipped: whether the user named no space.

    Raises:
        InputError: if nothing is left to search.
    """
    written, told = _command_line(args), _configs(args)
    kept, instead = [], []
    for name in list(space.entries):
        if (said := _find(written, name)) is not None:
            kept.append(f"{said} on the command line")
        elif (said := _find(told, name)) is None:
            continue
        elif shipped and name != RATE:
            kept.append(f"{said} in the configuration")
        else:
            instead.append(f"{said}")
            continue
        del space.entries[name]
    if kept:
        more = "; a --space FILE that names it searches what a configuration says" if shipped else ""
        rank_zero_info(f"Fixed, and not searched: {'; '.join(kept)}{more}.")
    if instead:
        rank_zero_info(
            f"Searched, in place of what the configuration says: {'; '.join(instead)} (on the command line it would be "
            "fixed)."
        )
    if not space.entries:
        raise InputError(
            f"All that {space.path.name} searches is fixed: {'; '.join(kept)}. Leave one of them out, or name other "
            "options with --space FILE."
        )


def _find(said: list[dict[str, Any]], name: str) -> str | None:
    """Return what was said of an option, or of one in its place; the last word counts."""
    for option in (name, *INSTEAD.get(name, ())):
        for tree in reversed(said):
            if (value := _value(tree, option.split("."))) is not None:
                return f"{option} {value}"
    return None


def _value(tree: Any, path: list[str]) -> Any:
    """Return what stands at a place of nested options, whether or not `init_args` are in between."""
    if not path:
        return tree
    if not isinstance(tree, dict):
        return None
    value = _value(tree[path[0]], path[1:]) if path[0] in tree else None
    return _value(tree["init_args"], path) if value is None and "init_args" in tree else value


def _configs(args: Sequence[str]) -> list[dict[str, Any]]:
    return [read_config(config) for name in ("c", "config") for config in values_of(args, name)]


def _command_line(args: Sequence[str]) -> list[dict[str, Any]]:
    """Return each option as nested options."""
    trees = []
    for arg in args:
        name = arg.partition("=")[0].removeprefix("--")
        if not arg.startswith("--") or name in ("config", "name", "space") or name.endswith("+"):
            continue
        for text in values_of(args, name):
            tree: Any = _read(text)
            for part in reversed(name.split(".")):
                tree = {part: tree}
            trees.append(tree)
    return trees


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
