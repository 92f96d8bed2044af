"""How what is said stands in a terminal: above the progress bar, broken between words, with relative paths."""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
from itertools import groupby
from typing import TextIO

from typing_extensions import override


class TerminalHandler(logging.Handler):
    """Writes messages to whatever standard error is at the moment.

    `logging.StreamHandler` keeps the one that it began with: past a progress bar, which then rubs its messages out.
    """

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{without_bar()}{laid_out(self.format(record))}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def say(text: str) -> None:
    """Print results: in a terminal laid out for its width, anywhere else as they are.

    Args:
        text: of one line or more; it may hold tables in Markdown.
    """
    width = terminal_width(sys.stdout)
    print(text if width is None else laid_out(text, sys.stdout), flush=True)


def laid_out(text: str, stream: TextIO | None = None) -> str:
    """Return a text as it is shown, with paths below the working folder relative to it.

    In a terminal, a line that is too wide goes on in the next, indented, and the columns of a table stand below each
    other.

    Args:
        text: of one line or more.
        stream: where it is written; None is standard error.
    """
    lines, width = from_here(text).split("\n"), terminal_width(stream or sys.stderr)
    if width is None:
        return "\n".join(lines)
    shown: list[str] = []
    for is_table, block in groupby(lines, key=lambda line: line.startswith("|") and line.endswith("|")):
        rows = list(block)
        shown += _aligned(rows, width) if is_table else [part for row in rows for part in _wrapped(row, width)]
    return "\n".join(shown)


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.rstrip(),
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def _aligned(lines: list[str], width: int) -> list[str]:
    """Return a Markdown table with cells of one width in each column; as it is where that does not fit."""
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    rules = [all(cell and not cell.strip("-:") for cell in row) for row in rows]
    columns = max(map(len, rows))
    rows = [[*row, *[""] * (columns - len(row))] for row in rows]
    widths = [max(3, *(len(row[i]) for row, rule in zip(rows, rules, strict=True) if not rule)) for i in range(columns)]
    if sum(widths) + 3 * columns + 1 > width:
        return lines
    cells = [
        ["-" * size if rule else cell.ljust(size) for cell, size in zip(row, widths, strict=True)]
        for row, rule in zip(rows, rules, strict=True)
    ]
    return [f"| {' | '.join(row)} |" for row in cells]


def from_here(text: str) -> str:
    """Return a text in which paths below the working folder are relative to it.

    Args:
        text: may hold paths and URLs; the latter stay as they are.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:  # it was removed
        return text
    return text if here == os.sep else re.sub(rf"(?<![\w/:.~-]){re.escape(here + os.sep)}", "", text)


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that a stream goes to; None where it goes into a file or a pipe."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (AttributeError, OSError, ValueError):  # no terminal, or none that is asked like this
        return None


def without_bar() -> str:
    """Return what rubs out a bar of tqdm in the terminal, which would stand before the message in its line."""
    kind = getattr(sys.modules.get("tqdm"), "tqdm", None)
    drawn = any(not bar.disable for bar in getattr(kind, "_instances", ()))
    return "\r\x1b[K" if drawn and terminal_width(sys.stderr) is not None else ""
