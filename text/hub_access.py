"""Before something of the Hugging Face Hub is read: does the Hub answer, may it be read, which commit is it?

The libraries that read from there ask for each file anew, at each of their entrances; without an answer, each of them
tries for half a minute. Here it is asked once. All files are then of one commit, and what is in the cache is read
without another word; where there is no answer, the cache is read, and that is said.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_warn

from ..errors import InputError
from .hub_errors import OFFLINE, is_passing, kinds, meaning_of, status_of

FIRST_FILE = {"model": "config.json", "dataset": "README.md"}
"""What is asked for: nearly all repositories have it, and those without say so and name their commit."""
WAITS = (1.0, 2.0, 4.0)
"""Seconds between attempts, where nothing is in the cache and the server fails; without an answer, the first alone."""
KEPT = {("model", False): math.inf, ("dataset", False): 0.0, ("model", True): 60.0, ("dataset", True): 60.0}
"""Seconds for which an answer holds, by what was asked for, and whether the cache alone is read."""


@dataclass(frozen=True)
class Access:
    """How something of the Hub is to be read.

    Args:
        commit: that the revision stands for; None where that is not known.
        is_cached: whether the cache alone is to be read.
        why: it is the cache alone, and what would change that.
    """

    commit: str | None
    is_cached: bool
    why: str = ""


_known: dict[tuple[str, ...], tuple[float, Access]] = {}


def model_options(place: Path | str, revision: str | None) -> dict[str, Any]:
    """Return the options by which transformers reads a model: from a folder, from the Hub, or from the cache alone.

    Args:
        place: of `locate`: a folder, or a hub id.
        revision: a branch, tag or commit of the hub model.

    Raises:
        InputError: if the Hub does not give it, and it is not in the cache.
    """
    if isinstance(place, Path):
        return {"revision": revision or "main"}
    found = access(place, revision)
    return {"revision": _pinned(place, revision, found.commit), "local_files_only": found.is_cached}


def access(name: str, revision: str | None = None, kind: str = "model") -> Access:
    """Ask the Hub for something: for a model once in a process, so that all its parts are of one commit.

    Args:
        name: an id.
        revision: a branch, tag or commit; None is the main branch.
        kind: `model` or `dataset`.

    Raises:
        InputError: if the Hub does not give it, and it is not in the cache.
    """
    key = _key(name, revision, kind)
    when, found = _known.get(key, (0.0, None))
    lasts = KEPT[kind, found.is_cached] if found is not None else 0.0
    if found is None or time.monotonic() - when > lasts:
        found = _ask(name, revision, kind)
        _known[key] = time.monotonic(), found
    return found


def cached_commit(name: str, revision: str | None, kind: str) -> str | None:
    """Return the commit that a revision stood for when it was read last; None where it never was.

    Args:
        name: an id.
        revision: a branch, tag or commit; None is the main branch.
        kind: `model` or `dataset`.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type=kind))
    if (folder / "snapshots" / (revision or "main")).is_dir():
        return revision
    ref = folder / "refs" / (revision or "main")
    return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None


def explain(error: BaseException, name: str, revision: str | None, kind: str = "model") -> str | None:
    """Return why something of the Hub could not be read, and what would work; None of errors of another kind.

    Args:
        error: of whatever read it.
        name: its id.
        revision: as it was asked for.
        kind: `model` or `dataset`.
    """
    _, found = _known.get(_key(name, revision, kind), (0.0, None))
    if found is not None and found.is_cached and {"LocalEntryNotFoundError", "OfflineModeIsEnabled"} & kinds(error):
        return f"the cache lacks it, or a part of it, and {found.why}"
    return meaning_of(error, name, revision, kind)


def _pinned(name: str, revision: str | None, commit: str | None) -> str:
    """Return a revision of which the libraries know the commit, as a commit of this repository and of no other."""
    if commit is None:
        return revision or "main"
    try:
        from huggingface_hub import ResolvedRevision
    except ImportError:  # an older one
        return commit
    return ResolvedRevision(commit, revision, name)


def _key(name: str, revision: str | None, kind: str) -> tuple[str, ...]:
    from huggingface_hub import constants

    return constants.ENDPOINT, constants.HF_HUB_CACHE, kind, name, revision or "main"


def _ask(name: str, revision: str | None, kind: str) -> Access:
    from huggingface_hub import constants

    commit = cached_commit(name, revision, kind)
    if constants.HF_HUB_OFFLINE:
        return Access(commit, True, OFFLINE)
    waits = iter(WAITS)
    while True:
        try:
            return Access(_newest_commit(name, revision, kind), False)
        except Exception as error:
            why = meaning_of(error, name, revision, kind)
            if why is None:  # which whoever reads it says at length
                return Access(None, False)
            if commit is not None:
                rank_zero_warn(f"{name} is read from the cache, as it was last time: {why}")
                return Access(commit, True, why)
            wait = next(waits, None)
            if wait is None or not _tries_again(error, wait):
                raise InputError(f"The {kind} {name!r} cannot be read: {why}") from error
            if (status := status_of(error)) is not None:
                rank_zero_warn(f"{constants.ENDPOINT} fails ({status}); it is asked again in {wait:.0f} s.")
            time.sleep(wait)


def _newest_commit(name: str, revision: str | None, kind: str) -> str | None:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    file = FIRST_FILE[kind]
    url = hf_hub_url(name, file, repo_type=kind, revision=revision)
    try:
        commit = get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT).commit_hash
    except EntryNotFoundError as error:
        commit = getattr(getattr(error, "response", None), "headers", {}).get("X-Repo-Commit")
    with suppress(EntryNotFoundError):  # this alone writes down what a branch stands for, for days without an answer
        hf_hub_download(name, file, repo_type=kind, revision=revision)
    return commit


def _tries_again(error: BaseException, wait: float) -> bool:
    if status_of(error) is None:  # one dropped connection is no news, two are
        return wait == WAITS[0] and is_passing(error) and not any("Timeout" in kind for kind in kinds(error))
    return is_passing(error)
