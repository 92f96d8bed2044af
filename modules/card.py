"""The model card of an export: what it is, what it was made from, how well it did, how to load it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import BaseModule

LINEAGE = "pretune_lineage"
"""The entry of the exported configuration that names the runs behind the weights."""

TEMPLATE = """---
library_name: transformers
tags: [pretune, {tag}]
{parent}---

# {title}

Made by `{kind}` of pretune {version} from {backbone}.

{lineage}| | |
|---|---|
| architecture | {architecture}, {parameters:.1f} M parameters |
| data | {data} |
| optimiser steps | {steps} |
{scores}{options}

```python
from transformers import AutoTokenizer, {auto_class}

model = {auto_class}.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
```
"""


def model_card(module: BaseModule) -> str:
    """The text of README.md for what a module exports."""
    trainer = module._trainer
    source = getattr(module.datamodule, "source", None)
    best = getattr(trainer.checkpoint_callback, "best_model_score", None) if trainer is not None else None
    options = {
        name: value
        for name, value in sorted(module.hparams.items())
        if isinstance(value, int | float | str) and not isinstance(value, bool) and not name.startswith("_")
    }
    names = getattr(module, "labels", None)
    return TEMPLATE.format(
        tag=type(module).__name__,
        # A path means nothing on another machine; a hub id does.
        parent=f"base_model: {module.backbone.name}\n" if _is_hub_id(module.backbone.name) else "",
        title=f"{type(module).__name__} of {module.backbone.label}",
        kind=type(module).__name__,
        version=_version(),
        backbone=f"the weights `{module.backbone.name}`" if module.backbone.name else "scratch",
        lineage=_steps(lineage(module)),
        architecture=module.model.config.model_type,
        parameters=sum(p.numel() for p in module.model.parameters()) / 1e6,
        data=source.name("train") if source is not None and source.has("train") else "not known",
        steps=_taken(module),
        scores=f"| best {module.monitor} | {float(best):.4f} |\n" if best is not None else "",
        options=(f"| labels | {', '.join(names)} |\n" if names else "")
        + "".join(f"| {name} | {value} |\n" for name, value in options.items()).rstrip("\n"),
        auto_class=module.auto_class,
    )


def _taken(module: BaseModule) -> str:
    """How many steps were taken, and after which of them the weights are those of the card."""
    trainer, kept = module._trainer, module.kept_step
    if trainer is None:
        return "not known"
    last = trainer.global_step
    return f"{last:,}" if kept in (None, last) else f"{last:,}; the weights are those after step {kept:,}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pretune")
    except PackageNotFoundError:  # used from a folder on the path
        return "(not installed)"


def lineage(module: BaseModule) -> list[dict[str, Any]]:
    """What made the weights what they are, oldest first: of each run its class, data, steps and what it began with.

    It is an entry of the exported configuration, which travels with the weights from run to run.
    """
    trainer, source = module._trainer, getattr(module.datamodule, "source", None)
    own = {
        "class": type(module).__name__,
        "data": source.name("train") if source is not None and source.has("train") else None,
        "steps": (module.kept_step or trainer.global_step) if trainer is not None else None,
        "from": module.backbone.name,
    }
    return [*(getattr(module.model.config, LINEAGE, None) or []), own]


def _steps(entries: list[dict[str, Any]]) -> str:
    if len(entries) < 2:
        return ""
    lines = [
        f"{number}. `{e['class']}` on {e['data'] or 'data not known'}, {e['steps'] or 'unknown'} steps, from "
        + (f"`{e['from']}`" if e["from"] else "scratch")
        for number, e in enumerate(entries, 1)
    ]
    return "Its parents, and itself:\n\n" + "\n".join(lines) + "\n\n"


def _is_hub_id(name: str | None) -> bool:
    from pathlib import Path

    return name is not None and not Path(name).exists() and not name.endswith(".ckpt")
