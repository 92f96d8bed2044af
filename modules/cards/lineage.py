"""What made the weights of an export what they are: the runs behind it, their data and their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...contracts import data_facts, files_of
from ...text.markdown import public

if TYPE_CHECKING:
    from ..network import NetworkModule

LINEAGE = "pretune_lineage"
"""The entry of the exported configuration that names the runs behind the weights."""
MOST = 3
"""Files that are named of a data set of many, and parts of a mixture."""


def lineage(module: NetworkModule) -> list[dict[str, Any]]:
    """Return the runs behind the weights, oldest first: of each its class, data, steps and what it began with.

    It is an entry of the exported configuration, which travels with the weights from run to run.
    """
    trainer = module._trainer
    own = {
        "class": type(module).__name__,
        "data": data_of(module),
        "steps": (module.kept_step or trainer.global_step) if trainer is not None else None,
        "from": public(module.backbone.name) if module.backbone.name is not None else None,
    }
    return [*(getattr(module.model.config, LINEAGE, None) or []), own]


def steps_of(module: NetworkModule) -> str:
    """Return how many steps were taken, and after which of them the weights are those of the export, in words."""
    trainer, kept = module._trainer, module.kept_step
    if trainer is None:
        return "not known"
    last = trainer.global_step
    return f"{last:,}" if kept in (None, last) else f"{last:,}; the weights are those after step {kept:,}"


def data_of(module: NetworkModule, split: str = "train") -> str | None:
    """Return what a split was read from, in few words: the first files of many, and no place on this machine."""
    files = files_of(data_facts(module.datamodule), split)
    if files is None:
        return None
    parts = files.split(" + ")
    shown = [_few([public(file) for file in part.split(", ")], ", ", "files") for part in parts[: MOST + 1]]
    return _few(shown + parts[MOST + 1 :], " + ", "parts")


def _few(names: list[str], joint: str, what: str) -> str:
    rest = len(names) - MOST
    return joint.join(names[:MOST]) + (f" and {rest:,} more {what}" if rest > 0 else "")
