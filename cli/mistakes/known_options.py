"""The options there are, as full keys: of the command, of the classes that are chosen, and of what lies in them."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule

from ...modules.backbone.backbone import Backbone
from ...text.cleaning import Cleaning
from ...text.extend_tokenizer import ExtendTokenizer
from ...text.selection.options import Selection
from ...text.train_tokenizer import TrainTokenizer
from ..options import CheckpointOptions, EarlyStoppingOptions, PaceOptions

BASES = {
    "HostedModule", "OptimizedModule", "NetworkModule", "MeasuredModule", "CalibratedModule", "BaseModule",
    "LabeledModule", "GeneratingModule", "LoadingDataModule", "BaseDataModule", "DocumentsDataModule",
    "TabularDataModule", "LabeledDataModule",
}  # fmt: skip
"""What messages do not propose."""
PARTS: dict[str, type[Any]] = {"model": LightningModule, "data": LightningDataModule}
SECTIONS: dict[str, tuple[type[Any], ...]] = {
    "model.backbone": (Backbone,),
    "data.tokenizer": (TrainTokenizer, ExtendTokenizer),
    "data.cleaning": (Cleaning,),
    "data.selection": (Selection,),
    "early_stopping": (EarlyStoppingOptions,),
    "pace": (PaceOptions,),
    "checkpoint": (CheckpointOptions,),
}
"""Options that hold options."""


def classes(base: type[Any]) -> list[type[Any]]:
    """Return the classes of ours that a base stands for."""
    return list(dict.fromkeys(_classes(base)))


def _classes(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("pretune.") and kind.__name__ not in BASES and kind.__name__[0] != "_":
            yield kind
        yield from _classes(kind)


def find_class(name: str, base: type[Any]) -> type[Any] | None:
    """Return a class by its name or import path; None where there is none, or it is not of that kind."""
    place, _, last = name.rpartition(".")
    if not place:
        return next((kind for kind in classes(base) if kind.__name__ == name), None)
    try:
        kind = getattr(import_module(place), last, None)
    except (Exception, SystemExit):
        return None
    return kind if isinstance(kind, type) and issubclass(kind, base) else None


def options_of(kind: type[Any]) -> list[str]:
    """Return the options of a class, and of the classes that it passes others on to."""
    parameters = [
        option
        for ancestor in inspect.getmro(kind)
        if ancestor not in (object, LightningModule, LightningDataModule)
        and "__init__" in vars(ancestor)
        and not ancestor.__module__.startswith("torch.")
        for option in list(inspect.signature(vars(ancestor)["__init__"]).parameters.values())[1:]
        if option.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    return list(dict.fromkeys(option.name for option in parameters))


class KnownOptions:
    """Which options there are.

    Args:
        parser: the command line's.
        chosen: the class of `model` and that of `data`, where they are known; otherwise those of all of ours count.
    """

    def __init__(self, parser: argparse.ArgumentParser, chosen: dict[str, type[Any] | None]) -> None:
        keys = {key: None for key in _keys(parser) if not key.startswith(("model.", "data."))}
        for part, base in PARTS.items():
            kind = chosen.get(part)
            for known in [kind] if kind else classes(base):
                keys |= {f"{part}.{option}": None for option in options_of(known)}
        for section, kinds in SECTIONS.items():
            for kind in kinds if section in keys else ():
                keys |= {f"{section}.{option.name}": None for option in dataclasses.fields(kind)}
        self.keys = list(keys)
        self._all = {*keys, *PARTS, "trainer"}

    def __contains__(self, key: str) -> bool:
        """Return whether there is such an option, or one that takes whatever it is given below it."""
        parts = key.split(".")
        known = next((p for n in range(len(parts), 0, -1) if (p := ".".join(parts[:n])) in self._all), None)
        return known == key or known not in (None, *SECTIONS, *PARTS, "trainer")


def _keys(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in (getattr(action, "_name_parser_map", None) or {}).values():
                yield from _keys(child)
        elif action.dest != argparse.SUPPRESS:
            yield action.dest


def example(section: str) -> str:
    """Return what an option that holds options takes, for messages."""
    return f"options, such as {section}.{dataclasses.fields(SECTIONS[section][0])[0].name}"


def known_classes(keys: Sequence[str], part: str) -> list[str]:
    """Return which of our classes take all of these options."""
    return [kind.__name__ for kind in classes(PARTS[part]) if set(keys) <= set(options_of(kind))]
