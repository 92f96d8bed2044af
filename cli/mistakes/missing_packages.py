"""A class that a configuration names may need a package that is not installed; only making it shows that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ...errors import InputError, input_error
from ..parser import as_plain

PACKAGES = re.compile(r"No module named '(?P<module>[\w.]+)'|Requirement '(?P<requirement>[^']+)' not met")
CLASS = re.compile(r"given class_path '(?P<path>[\w.]+)'")
OTHER_NAMES = {"comet_ml": "comet-ml", "sklearn": "scikit-learn", "yaml": "PyYAML", "PIL": "Pillow"}
"""What is installed under another name than it is imported by."""


@contextmanager
def packages_named(config: Any) -> Iterator[None]:
    """Say what to install for a class that cannot be made within.

    Args:
        config: what is made.

    Raises:
        InputError: with the package and the option.
    """
    try:
        yield
    except Exception as error:
        if (missing := _missing_package(error, as_plain(config))) is not None:
            raise missing from error
        raise


def _missing_package(error: BaseException, config: Any) -> InputError | None:
    if input_error(error) is not None:
        return None
    text, seen = "", error
    while seen is not None and not isinstance(seen, ImportError):  # the parser lays errors of its own above it
        text, seen = text or str(seen), seen.__cause__ or seen.__context__  # type: ignore[assignment]
    missing = PACKAGES.search(str(seen)) if seen is not None else None
    if missing is None:  # of several classes, the parser tells of the last
        return next((why for option, path, options in _classes(config) if (why := _try(option, path, options))), None)
    named = CLASS.findall(text)
    option = next((key for key, path, _ in _classes(config) if named and path == named[-1]), "")
    return _install(missing, option, named[-1].rpartition(".")[2] if named else "what is asked for")


def _install(missing: re.Match[str], option: str, what: str) -> InputError:
    module = (missing["module"] or "").partition(".")[0]
    package = missing["requirement"] or OTHER_NAMES.get(module, module)
    whose = f"{option}: " if option else ""
    quoted = f"'{package}'" if re.search(r"[<>=!~\[ ]", package) else package
    return InputError(
        f"{whose}{what} needs the package {package}, which is not installed: pip install {quoted}{_instead(option)}."
    )


def _try(option: str, path: str, options: dict[str, Any]) -> InputError | None:
    """Make one of Lightning's loggers, to see why it cannot be made."""
    if not path.startswith("lightning.pytorch.loggers."):
        return None
    try:
        getattr(import_module(path.rpartition(".")[0]), path.rpartition(".")[2])(**options)
    except ImportError as error:
        missing = PACKAGES.search(str(error))
        return _install(missing, option, path.rpartition(".")[2]) if missing else None
    except Exception:
        return None
    return None


def _instead(option: str) -> str:
    return "; without --trainer.logger, TensorBoard and CSV are written" if option.startswith("trainer.logger") else ""


def _classes(config: Any, key: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the classes in a configuration: the full key of each, its path, and its options."""
    if isinstance(config, list):
        for entry in config:
            yield from _classes(entry, key)
    elif isinstance(config, dict):
        if "class_path" in config:
            yield key, str(config["class_path"]), config.get("init_args") or {}
        for name, value in config.items():
            yield from _classes(value, key if name == "init_args" else f"{key}.{name}".strip("."))
