"""The front matter of a card: only what is known, in the fields that the Hub has for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...checkpoints import locate, run_of
from ...contracts import data_facts, hub_ids_of
from ...errors import InputError
from ...text.card_metrics import metric_type
from .options import CardOptions

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

    from ..network import NetworkModule

INHERITED = ("license", "license_name", "license_link", "language")
"""What a card takes over from that of the weights it began with."""
WAIT = 3.0
"""Seconds that the card of a hub's model may take; no training waits longer for a license."""


def metadata(module: NetworkModule, options: CardOptions, pipeline_tag: str | None) -> ModelCardData:
    """Return the front matter of what a module exports.

    Args:
        module: a built one.
        options: what the user says of license and language.
        pipeline_tag: the Hub's name of the task.
    """
    from huggingface_hub import ModelCardData

    parent = parent_metadata(module.backbone.name)
    known: dict[str, Any] = {name: parent[name] for name in INHERITED if parent.get(name)}
    if options.license is not None:
        known = {name: value for name, value in known.items() if not name.startswith("license")}
        known["license"] = options.license
    if options.language is not None:
        known["language"] = options.language
    base = module.backbone.name if is_hub_id(module.backbone.name) else parent.get("base_model")
    alone = bool(module.backbone.adapters) and not module.backbone.merge_adapters
    return ModelCardData(
        **known,
        base_model=base,
        datasets=hub_ids_of(data_facts(module.datamodule)) or None,
        library_name="peft" if alone else "transformers",
        metrics=_metrics(module) or None,
        pipeline_tag=pipeline_tag,
        tags=["pretune", type(module).__name__],
    )


def parent_metadata(name: str | None) -> dict[str, Any]:
    """Return the front matter of the card of the weights that a training began with; empty where there is none.

    Args:
        name: of the backbone: a hub id, a folder, a run, or null for weights from scratch.
    """
    from huggingface_hub import ModelCard

    path = _parent_card(name) if name is not None else None
    if path is None:
        return {}
    with suppress(Exception):  # somebody else's card may be anything, and is never worth a training
        return dict(ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict())
    return {}


def is_hub_id(name: str | None) -> bool:
    """Return whether a backbone's name is one of the Hub's; a path means nothing on another machine."""
    if name is None or name.endswith(".ckpt") or name.startswith(("/", ".", "~", "runs/")) or name.count("/") > 1:
        return False
    return not Path(name).exists()


def _parent_card(name: str) -> Path | None:
    if is_hub_id(name):
        return _hub_card(name)
    try:
        place = Path(locate(name))
    except InputError:  # the run that the weights came from was cleared away since
        return None
    if place.is_file():  # a checkpoint
        run = run_of(place)
        place = run / "export" if run is not None else place.parent
    card = place / "README.md"
    return card if os.path.isfile(card) else None


def _hub_card(name: str) -> Path | None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    cached = try_to_load_from_cache(name, "README.md")
    if isinstance(cached, str):
        return Path(cached)
    with suppress(Exception):  # no network, none wanted, or no card
        # Asked once; the download would go on asking for half a minute.
        get_hf_file_metadata(hf_hub_url(name, "README.md"), timeout=WAIT)
        return Path(hf_hub_download(name, "README.md", etag_timeout=WAIT))
    return None


def _metrics(module: NetworkModule) -> list[str]:
    """Return the Hub's names of what was measured in validation."""
    trainer = module._trainer
    measured = trainer.callback_metrics if trainer is not None else {}
    names = {metric_type(name) for name in measured if name.startswith("val/") and not name.endswith("loss")}
    return sorted(names)
