"""What was probably meant by an option that there is not, with the full key that does it."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches

from ..verbs import own_options_of_running
from .aliases import ALIASES
from .known_options import KnownOptions

CLOSE = 0.72
"""How alike two names must be."""
MOST = 3


def suggest(key: str, known: KnownOptions) -> list[str]:
    """Return the options that were probably meant, the likeliest first, some with their value.

    Args:
        key: as it is written: `learning_rate`, `trainer.lr`, `max-epoch`.
        known: what there is.
    """
    whole = key.strip("-—–+ ").replace("-", "_").replace(".init_args", "").lower()
    parts = whole.split(".")
    for end in range(1, len(parts)):  # `lora.r`: the first part that there is not, with what is below it
        if (first := ".".join(parts[:end])) not in known:
            below = [f"{full}.{'.'.join(parts[end:])}" for full in _suggest(first, known)]
            if below := [full for full in below if full in known]:
                return below
    return _suggest(whole, known)


def _suggest(whole: str, known: KnownOptions) -> list[str]:
    own = get_close_matches(whole, own_options_of_running(), n=1, cutoff=0.8)
    if own:
        return own
    leaf = whole.rpartition(".")[2]
    leaves: dict[str, list[str]] = {}
    for full in known.keys:
        leaves.setdefault(full.rpartition(".")[2].lower(), []).append(full)
    aliases = {name: meant for name, target in ALIASES.items() if (meant := _there(target, known))}
    meant = [*aliases.get(leaf, []), *leaves.get(leaf, [])]
    if not meant and "." not in whole:
        meant = get_close_matches(whole, [full for full in known.keys if "." not in full], n=1, cutoff=0.85)
    if not meant and len(leaf) > 2:  # a part of its name, as other command lines take it
        meant = [full for full in known.keys if full.startswith(whole)]
        meant = meant or [full for name in leaves if name.startswith(leaf) for full in leaves[name]]
    if not meant and "." in whole and (near := get_close_matches(whole, known.keys, n=1, cutoff=0.85)):
        meant = near
    if not meant:
        names = get_close_matches(leaf, [*leaves, *aliases], n=3, cutoff=CLOSE)
        best = SequenceMatcher(None, leaf, names[0]).ratio() if names else 0
        alike = [name for name in names if SequenceMatcher(None, leaf, name).ratio() > best - 0.05]
        meant = [full for name in alike for full in [*aliases.get(name, []), *leaves.get(name, [])]]
    part = whole.partition(".")[0]
    meant.sort(key=lambda full: "." in whole and not full.startswith(f"{part}."))
    return list(dict.fromkeys(meant))[:MOST]


def _there(target: str, known: KnownOptions) -> list[str]:
    """Return what an alias stands for among these options."""
    return [option for option in target.split("|") if option.partition(" ")[0] in known]


def on_command_line(options: list[str]) -> str:
    """Return suggestions for a message about the command line; empty where there is none."""
    return _asked([f"--{full}" for full in options])


def in_yaml(options: list[str]) -> str:
    """Return the same for a configuration, with how it is written there."""
    if options and options[0] in own_options_of_running():
        return f" (--{options[0]} is an option of the command line alone)"
    return _asked([f"{full.partition(' ')[0]}, which is written {written(full)}" for full in options])


def _asked(suggestions: list[str]) -> str:
    return f" (did you mean {' or '.join(suggestions)}?)" if suggestions else ""


def written(full: str) -> str:
    """Return an option as YAML nests it."""
    key, _, value = full.partition(" ")
    parts = key.split(".")
    if parts[0] in ("model", "data") and len(parts) > 1:
        parts.insert(1, "init_args")
    text = f"{parts[-1]}: {value or '...'}"
    for part in reversed(parts[:-1]):
        text = f"{part}: {{{text}}}"
    return text
