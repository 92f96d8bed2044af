"""Configurations that come through a pipe, `--config <(...)`, which can be read once, and are asked for more often."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .mistakes.written import check_text, decoded


def without_pipes(args: Sequence[str]) -> list[str]:
    """Return the arguments with the text of a configuration in place of the pipe that it comes through.

    Args:
        args: the verb and its arguments.

    Raises:
        InputError: if what comes is no configuration.
    """
    replaced = list(args)
    for number, arg in enumerate(args):
        if arg.startswith("--config="):
            replaced[number] = f"--config={_text(arg.partition('=')[2])}"
        elif number and args[number - 1] == "--config":
            replaced[number] = _text(arg)
    return replaced


def _text(config: str) -> str:
    """Return what a pipe holds; anything else as it is."""
    if config == "-":
        content = sys.stdin.buffer.read()
    elif "\n" not in config and os.path.exists(config) and not os.path.isfile(config) and not os.path.isdir(config):
        content = Path(config).read_bytes()
    else:
        return config
    text = decoded(config, content)
    check_text(config, text)
    return text if "\n" in text else f"{text}\n"  # which tells a text from the name of a file
