"""What would be trained on: `python main.py inspect --config FILE [--rows 8] [--split train] [--html page.html]`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ...errors import InputError
from ..inspecting import Inspection, look
from ..inspecting.look import Split
from ..recipes import with_recipe
from ..verb_options import read_options
from .unbuilt import UnbuiltCLI


@dataclass(frozen=True)
class InspectOptions:
    """What `inspect` is asked.

    Args:
        rows: how many to show; of packs documents.
        split: the part that they are of.
        html: a file for a page, which needs nothing from elsewhere.

    Raises:
        InputError: if there are to be no rows, or no page can be written there.
    """

    rows: int = 8
    split: Split = "train"
    html: str | None = field(default=None, metadata={"metavar": "FILE"})

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise InputError(f"--rows is {self.rows}; it must be at least 1.")
        if self.html is not None:
            _check_page(self.html)


def run_inspect(args: Sequence[str]) -> Inspection:
    """Show what would be trained on; no weights are made, and none are read.

    Tokens as the loss sees them (predicted, hidden and behind what, replaced, ignored, special, padding), with labels
    and spans on their words, windows, documents of packs, and chat templates as they are rendered; then of each part
    lengths, label counts, what was truncated, duplicates, and what stands in another part, too; and the shapes of a
    batch. Masks are those of the first step of a training with the same seed.

    Args:
        args: what stands after `inspect`: its own options (`InspectOptions`), and those of `fit`.

    Returns:
        What was seen.

    Raises:
        InputError: if an option is wrong, a part is not there, or the module cannot learn from such data.
    """
    options, rest = read_options(InspectOptions, args)
    with tempfile.TemporaryDirectory() as folder:
        cli = UnbuiltCLI(with_recipe(["fit", *rest, f"--trainer.default_root_dir={folder}"]))
        if cli.datamodule is None and type(cli.model).__module__.startswith("pretune."):
            raise InputError("nothing says which data to read: give --data CLASS with its options.")
        seen = look(cli.model, cli.datamodule, options.split, options.rows)
    Console(highlight=False).print(seen)
    if options.html:
        seen.save(options.html)
        print(f"\nThe page: {options.html}")
    return seen


def _check_page(page: str) -> None:
    """Refuse, before anything is read, a place where no page can be written."""
    path = Path(page)
    if not page:
        raise InputError("--html is empty; a file such as page.html would work.")
    if path.is_dir():
        raise InputError(f"--html is {page}, which is a folder; a file such as {path / 'page.html'} would work.")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"--html is {page}, but {above} is no folder.")
