"""The files of a push, by the names that they get, the card as it reads there among them."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from ...text.card_sections import PLACE
from .export_files import ExportFiles
from .run_card import CARD, run_card
from .run_facts import PICTURE, RunFacts

Contents = dict[str, Path | bytes]
"""Where each file lies, or what it holds."""


def contents_of(export: ExportFiles, repository: str) -> Contents:
    """Return the files of an export, with its card brought up to date; nothing on the disk is changed.

    Args:
        export: what is pushed.
        repository: ORG/NAME.

    Raises:
        InputError: if there is no card, or its front matter cannot be read.
    """
    files: Contents = {name: export.path(name) for name in export.names}
    card = export.path(CARD)
    if not card.is_file():
        raise InputError(f"{export.folder} has no model card ({CARD}): `fit` writes it; one of your own would do, too.")
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{card} cannot be read: {error}") from error
    if export.run is None:
        files[CARD] = text.replace(PLACE, repository).encode()
        return files
    facts = RunFacts.of(export.run)
    files[CARD] = run_card(text, facts, str(card), repository).encode()
    if facts.picture is not None:
        files[PICTURE] = facts.picture
    return dict(sorted(files.items()))


def size_of(content: Path | bytes) -> int:
    """Return the bytes of a file."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def in_words(size: int) -> str:
    """Return a number of bytes as people read it, such as 438 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}" if size < 1000 * factor else f"{size / factor:,.0f} {unit}"
    return f"{size} bytes"


def training_texts(card: bytes | Path) -> bool:
    """Return whether a card shows texts that were trained on."""
    text = card.decode() if isinstance(card, bytes) else card.read_text(encoding="utf-8")
    return "| label | in training | example" in text
