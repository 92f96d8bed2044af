"""Configurations in an order in which one undoes another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .written import Written, configurations, read_written

SHOWN = 3


def undone(args: Sequence[str]) -> Iterator[str]:
    """Yield what to say of each overlay that is given before its base, which replaces what the overlay sets.

    Args:
        args: the verb and its arguments, whose configurations can be read.
    """
    files = [value for option, value in configurations(args) if option == "--config"]
    read = [(file, written) for file in files if (written := read_written(file)) is not None]
    for number, (file, overlay) in enumerate(read):
        if _names_a_model(overlay):
            continue
        for base_file, base in read[number + 1 :]:
            if not _names_a_model(base):
                continue
            before, after = dict(_values(overlay.values)), dict(_values(base.values))
            replaced = [key for key, value in before.items() if key in after and after[key] != value]
            if replaced:
                keys = ", ".join(replaced[:SHOWN]) + (" and more" if len(replaced) > SHOWN else "")
                yield (
                    f"{base_file} replaces {keys} of {file}, which is given before it: --config {base_file} --config "
                    f"{file} would apply them."
                )


def _names_a_model(written: Written) -> bool:
    model = written.values.get("model")
    return isinstance(model, str) or (isinstance(model, dict) and "class_path" in model)


def _values(config: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict) and config:
        for name, value in config.items():
            yield from _values(value, f"{key}.{name}".strip("."))
    else:
        yield key, config
