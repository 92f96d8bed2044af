"""A run handed on: `python main.py push RUN ORG/NAME [--private] [--dry-run]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError
from ...text.visible import shown_path, visible
from ..sharing.contents import Contents, contents_of, in_words, size_of, training_texts
from ..sharing.export_files import ExportFiles, find_export
from ..sharing.repository import Account, Repository, check_name
from ..sharing.run_card import CARD
from ..verb_options import read_all_options

HEAD = 40
"""Lines of the card that a dry run shows."""


@dataclass(frozen=True)
class PushOptions:
    """What `push` is asked.

    Args:
        run: what is pushed: runs/NAME (its newest version with an export), runs/NAME/version_N, or an export's folder.
        repository: whose it is, and what it is called.
        private: only its owners see it, where it is made now.
        dry_run: print what would be pushed, and send nothing.
    """

    run: str = field(metadata={"positional": True})
    repository: str = field(metadata={"positional": True, "metavar": "ORG/NAME"})
    private: bool = field(default=False, metadata={"flag": True})
    dry_run: bool = field(default=False, metadata={"flag": True})


def run_push(args: Sequence[str]) -> dict[str, Any]:
    """Push the export of a run, with its model card, to a repository of the Hugging Face Hub.

    Args:
        args: what stands after `push`.

    Returns:
        What `push` returns.
    """
    options = read_all_options(PushOptions, args)
    return push(options.run, options.repository, options.private, options.dry_run)


def push(run: str, repository: str, private: bool = False, dry_run: bool = False) -> dict[str, Any]:
    """Push the export of a run; all of it is seen there, or nothing.

    Args:
        run: `runs/NAME` (its newest version with an export), `runs/NAME/version_N`, or the folder of an export.
        repository: ORG/NAME; made if missing.
        private: make it so that only its owners see it.
        dry_run: say what would be pushed, and send nothing.

    Returns:
        `repository`, `files` with their sizes in bytes, `card`, and of a push `url` and `commit`.

    Raises:
        InputError: if there is nothing to push, there are no credentials, the repository is another's, or the server
            cannot be reached.
    """
    check_name(repository)
    export = find_export(run)
    files = contents_of(export, repository)
    found = {"repository": repository, "files": {name: size_of(content) for name, content in files.items()}}
    found["card"] = bytes(files[CARD]).decode()
    place = Repository(repository, token) if (token := _token()) else None
    if dry_run:
        print(visible(_announced(export, files, repository, private, _seen_by(place))))
        return found
    if place is None:
        raise InputError(
            "There are no credentials: `hf auth login` stores a token, or $HF_TOKEN holds one. It needs the right to "
            f"write to {repository}."
        )
    account = place.account()
    info = place.check(account, private)
    for line in _notes(export, files):
        print(visible(line))
    commit = place.push(files, info, private, f"{export_name(export)}, by pretune")
    if info is not None and commit == info.sha:
        print(f"{place.url} is what it was: nothing has changed since the last push.")
    else:
        print(f"Pushed to {place.url}: {_sum(files)}, in one commit ({commit[:12]}).")
    return {**found, "url": place.url, "commit": commit}


def export_name(export: ExportFiles) -> str:
    """Return what an export is called, without a place on this machine."""
    home = export.run if export.run is not None else export.folder
    return "/".join(home.resolve().parts[-2:])


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def _seen_by(place: Repository | None) -> str:
    """Return who would push, as far as that can be known without looking at the repository."""
    if place is None:
        return "No credentials are there: `hf auth login`, or $HF_TOKEN, before it is pushed."
    try:
        account: Account = place.account()
        place.check_owner(account)
    except InputError as error:
        return f"It would not come about: {error}"
    return f"As {account.name}. What the repository holds was not looked at."


def _announced(export: ExportFiles, files: Contents, repository: str, private: bool, who: str) -> str:
    """Return what a dry run prints."""
    width = max(map(len, files))
    card = bytes(files[CARD]).decode().splitlines()
    return "\n".join(
        [
            f"Would push {shown_path(str(export.folder))} to {repository}{', private' if private else ''}:",
            *(f"  {name:<{width}}  {in_words(size_of(content))}" for name, content in files.items()),
            f"{_sum(files)}, in one commit. {who}",
            *_notes(export, files),
            f"{CARD} begins:",
            "",
            *card[:HEAD],
            *([f"[{len(card) - HEAD} lines more]"] if len(card) > HEAD else []),
        ]
    )


def _notes(export: ExportFiles, files: Contents) -> list[str]:
    """Return what is worth a look before others see it."""
    lines = []
    if training_texts(files[CARD]):
        lines.append("The card shows texts of the training data; card.examples: 0 leaves them out of the next export.")
    if export.own:
        lines.append(f"Not of the export, and pushed with it: {', '.join(export.own)}.")
    return lines


def _sum(files: Contents) -> str:
    return f"{len(files)} files, {in_words(sum(size_of(content) for content in files.values()))}"
