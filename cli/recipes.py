"""Recipes: coherent sets of options by name, laid under everything that the user wrote (`configs/recipes/`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from .arguments import read_config, values_of

FOLDER = Path(__file__).parents[1] / "configs" / "recipes"


def names() -> list[str]:
    """Return the recipes there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def with_recipe(args: Sequence[str]) -> list[str]:
    """Return the arguments with the recipe's values before the user's configurations, which override them.

    Args:
        args: a verb and its arguments; the recipe is the last `--recipe NAME`, or the last `recipe:` in a `--config`.

    Returns:
        The arguments as they came where no recipe is named; otherwise with one more `--config`, its text inline.

    Raises:
        InputError: if there is no such recipe.
    """
    verb, rest = list(args[:1]), list(args[1:])
    configs = [read_config(path) for path in values_of(rest, "config")]
    asked = [c["recipe"] for c in configs if c.get("recipe")] + values_of(rest, "recipe")
    recipe = asked[-1] if asked else None
    if recipe in (None, "null"):
        return [*verb, *rest]
    if recipe not in names():
        raise InputError(f"There is no recipe {recipe!r}; there are: {', '.join(names())}.")
    values = yaml.safe_load((FOLDER / f"{recipe}.yaml").read_text(encoding="utf-8"))
    if (model := _model(configs, rest)) is not None:
        values["model"] = {"class_path": model, **values["model"]}
    else:
        del values["model"]  # no class, which is an error that others report
    return [*verb, "--config", json.dumps(values), *rest]


def _model(configs: Sequence[dict[str, Any]], args: Sequence[str]) -> str | None:
    """Return the class of the module, wherever it is chosen last."""
    chosen: list[str] = []
    for config in configs:
        model = config.get("model")
        chosen += [str(name) for name in [model.get("class_path") if isinstance(model, dict) else model] if name]
    chosen += [*values_of(args, "model"), *values_of(args, "model.class_path")]
    return chosen[-1] if chosen else None
