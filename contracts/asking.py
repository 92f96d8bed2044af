"""Anybody is asked for facts: ours, which inherit them, somebody else's objects, and None."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .data import DataFacts
from .loader import LoaderFacts
from .module import ModuleFacts


class _Foreign:
    """Somebody else's object, asked for facts: what it has is its answer, the rest are the defaults."""

    def __init__(self, thing: Any) -> None:
        object.__setattr__(self, "_thing", thing)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        try:
            return getattr(self._thing, name)
        except AttributeError:
            return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self._thing, name):
            setattr(self._thing, name, value)


class _ForeignData(_Foreign, DataFacts):
    pass


class _ForeignModule(_Foreign, ModuleFacts):
    pass


class _ForeignLoader(_Foreign, LoaderFacts):
    pass


def files_of(facts: DataFacts, split: str) -> str | None:
    """Return what a split is read from, in words; None of data that do not say."""
    has = getattr(facts.source, "has", None)  # a foreign `source` may be anything
    return str(facts.source.name(split)) if callable(has) and has(split) else None


def hub_ids_of(facts: DataFacts) -> list[str]:
    """Return the data sets of the Hugging Face Hub that are trained on; none where data do not say."""
    named = getattr(facts.source, "hub_ids", None)  # as above
    return [name for name in dict.fromkeys(named()) if not Path(name).exists()] if callable(named) else []


def data_facts(data: Any) -> DataFacts:
    """Return what a datamodule says, with defaults where it is another's or None.

    Args:
        data: any object; attributes and methods of the names in `DataFacts` are understood.
    """
    return data if isinstance(data, DataFacts) else _ForeignData(data)


def module_facts(module: Any) -> ModuleFacts:
    """Return what a module says, with defaults where it is another's or None.

    Args:
        module: any object; attributes and methods of the names in `ModuleFacts` are understood.
    """
    return module if isinstance(module, ModuleFacts) else _ForeignModule(module)


def loader_facts(loader: Any) -> LoaderFacts:
    """Return what a loader says, with defaults where it is another's or None.

    Args:
        loader: any object; attributes of the names in `LoaderFacts` are understood.
    """
    return loader if isinstance(loader, LoaderFacts) else _ForeignLoader(loader)


def is_defined(facts: DataFacts | ModuleFacts, default: Callable[..., Any]) -> bool:
    """Return whether a method of facts is more than its default.

    Args:
        facts: of data or of a module.
        default: the method as `DataFacts` or `ModuleFacts` has it.
    """
    return getattr(getattr(facts, default.__name__), "__func__", None) is not default


def set_length(data: Any) -> int | None:
    """Return what the option of a datamodule for the length of inputs is set to; None where it has none.

    Args:
        data: a datamodule, or None.
    """
    option = data_facts(data).length_option
    length: int | None = None if option is None else getattr(data, option, None)
    return length
