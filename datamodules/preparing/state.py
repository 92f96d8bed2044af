"""Whether an output is free, begun, or finished, and with the same options: what lies there decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...storage import prepared
from ...storage.folders import Folder
from ...storage.prepared import Manifest, read_manifest
from . import work

DIFFERENCES = 4
"""That a message lists."""


@dataclass(frozen=True)
class State:
    """What is prepared into an output.

    Args:
        fingerprint: of inputs and options.
        options: as plain data.
    """

    fingerprint: str
    options: dict[str, Any]


def found(output: Folder, wanted: State) -> Manifest | None:
    """Return the manifest of what is finished; None where there is nothing yet, or it goes on.

    Args:
        output: to look at.
        wanted: what is to be prepared.

    Raises:
        InputError: if it holds something else.
    """
    names = output.names()
    if prepared.NAME in names:
        manifest = read_manifest(output.url)
        _compare(output, State(manifest.fingerprint, manifest.options), wanted, is_begun=False)
        return manifest
    begun = f"{work.NAME}/{work.STATE}"
    if work.NAME in names and output.exists(begun):
        _compare(output, _read(output.read(begun)), wanted, is_begun=True)
        return None
    if names and names != [work.NAME]:
        raise InputError(
            f"--output {output.url} is not empty, and not a prepared corpus ({', '.join(names[:3])}"
            f"{', ...' if len(names) > 3 else ''}): an empty folder, or a new one, would work."
        )
    return None


def begin(output: Folder, wanted: State) -> None:
    """Note what is prepared: the first that is written."""
    content = json.dumps({"fingerprint": wanted.fingerprint, "options": wanted.options}, sort_keys=True)
    output.write(f"{work.NAME}/{work.STATE}", content.encode())


def _read(content: bytes) -> State:
    plain = json.loads(content)
    return State(plain["fingerprint"], plain["options"])


def _compare(output: Folder, there: State, wanted: State, is_begun: bool) -> None:
    if there.fingerprint == wanted.fingerprint:
        return
    changes = differences(there.options, wanted.options)
    said = "; ".join(changes[:DIFFERENCES]) + ("; ..." if len(changes) > DIFFERENCES else "")
    said = said or "the options are the same, but what the input files hold is not"
    what = "the beginning of a corpus" if is_begun else "a corpus that was prepared"
    ways = "another --output, or delete what was begun" if is_begun else "or another --output"
    raise InputError(
        f"--output {output.url} holds {what} otherwise: {said}. Give the options that it was made with, {ways}."
    )


def differences(there: Any, wanted: Any, name: str = "") -> list[str]:
    """Return in words where plain data differ."""
    if isinstance(there, dict) and isinstance(wanted, dict):
        names = [*there, *(key for key in wanted if key not in there)]
        return [
            change
            for key in names
            for change in differences(there.get(key), wanted.get(key), f"{name}.{key}" if name else str(key))
        ]
    if isinstance(there, list) and isinstance(wanted, list) and len(there) == len(wanted):
        pairs = enumerate(zip(there, wanted, strict=True))
        return [change for number, (a, b) in pairs for change in differences(a, b, f"{name}[{number}]")]
    return [] if there == wanted else [f"{name} was {_shown(there)}, and is {_shown(wanted)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}..."
