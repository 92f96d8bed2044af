"""What `logger:` says: which trackers, and with which options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import InputError
from ..mistakes.class_names import nearest

TRACKERS = ("wandb", "mlflow", "comet", "aim")
OWN = ("tensorboard", "csv")
"""What every run writes into its folder, whatever the trackers do."""
SPELLINGS = {
    "w&b": "wandb", "weights_and_biases": "wandb", "weights_biases": "wandb", "wandblogger": "wandb",
    "ml_flow": "mlflow", "mlflowlogger": "mlflow", "comet_ml": "comet", "cometml": "comet", "cometlogger": "comet",
    "aimlogger": "aim", "aimstack": "aim", "tb": "tensorboard", "tensorboardlogger": "tensorboard",
    "csvlogger": "csv",
}  # fmt: skip
SHARED = ("name", "project", "run_name", "group", "offline", "export")
"""Options that each tracker has; others go to its own class."""
SECRETS = ("api_key", "api_token", "token", "password", "key")


@dataclass
class Choice:
    """A tracker, as the user asks for it.

    Args:
        name: of the tracker.
        project: what its runs are shown below.
        run_name: how the run is called; null calls it as its folder.
        group: of the run; null takes that of the seeds, the search or the suite that it is part of.
        offline: whether to write to this machine only.
        export: whether the exported weights are sent, too.
        options: of Lightning's logger, and of what it passes others on to.
    """

    name: str
    project: str | None = None
    run_name: str | None = None
    group: str | None = None
    offline: bool = False
    export: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def chosen_trackers(value: Any) -> list[Choice]:
    """Return the trackers that are asked for.

    Args:
        value: of the option `logger`: a name, options with a name among them, a list of such, or null.

    Raises:
        InputError: if there is no such tracker, one stands there twice, or an option cannot be.
    """
    entries = value if isinstance(value, list) else [] if value is None else [value]
    choices = [choice for entry in entries if (choice := _choice(entry)) is not None]
    names = [choice.name for choice in choices]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"logger: {twice} stands there twice; once would work.")
    return choices


def _choice(entry: Any) -> Choice | None:
    entry = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise InputError(
            f"logger is {entry!r}; a name would work ({', '.join(TRACKERS)}), or options with one, such as "
            "{name: wandb, project: mine}."
        )
    options = dict(entry)
    name = _known(options.pop("name"))
    if name in OWN:
        if options:
            raise InputError(
                f"logger.{name} takes no options: every run writes TensorBoard's files and metrics.csv into its "
                "folder. trainer.logger puts Lightning's own loggers in their place."
            )
        return None
    if secret := next((key for key in options if key in SECRETS), None):
        raise InputError(
            f"logger.{secret}: a secret in a configuration would be written into the run folder and sent with it; "
            f"{name}'s own login or its environment variable would work."
        )
    for key, kind, shown in (
        ("project", str, "a text"), ("run_name", str, "a text"), ("group", str, "a text"),
        ("offline", bool, "true or false"), ("export", bool, "true or false"),
    ):  # fmt: skip
        if key in options and not isinstance(options[key], kind):
            raise InputError(f"logger.{key} is {options[key]!r}; {shown} would work.")
    shared = {key: options.pop(key) for key in SHARED if key in options}
    return Choice(name, **shared, options=options)


def _known(name: str) -> str:
    """Return a tracker's name as it is written here."""
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    word = SPELLINGS.get(word, word)
    if word in (*TRACKERS, *OWN):
        return word
    if word in ("neptune", "neptunelogger"):
        raise InputError(
            f"logger: Neptune has been shut down, and Lightning has no logger for it any more; "
            f"{', '.join(TRACKERS)} would work."
        )
    known = [*TRACKERS, *OWN]
    raise InputError(f"logger: there is no tracker {name!r}{nearest(word, known)}; there are: {', '.join(known)}.")
