"""The model card of an export: what it is, what it was made from, how well it did, how to load it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...contracts import data_facts, files_of
from ...text.markdown import code, listed, public

if TYPE_CHECKING:
    from ..network import NetworkModule

LINEAGE = "pretune_lineage"
"""The entry of the exported configuration that names the runs behind the weights."""
MOST = 3
"""Files that are named of a data set of many, and parts of a mixture."""

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
| optimizer steps | {steps} |
{scores}{options}

```python
{loading}
```
"""
WHOLE = """from transformers import {auto_class}

model = {auto_class}.from_pretrained("path/to/this/folder")"""
ADAPTERS = """from peft import PeftModel
from transformers import {auto_class}

base = {auto_class}.from_pretrained({base})
model = PeftModel.from_pretrained(base, "path/to/this/folder")"""
TOKENIZER = """
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")"""


def model_card(module: NetworkModule) -> str:
    """The text of README.md for what a module exports."""
    trainer = module._trainer
    best = getattr(trainer.checkpoint_callback, "best_model_score", None) if trainer is not None else None
    options = {
        name: value
        for name, value in sorted(module.hparams.items())
        if isinstance(value, int | float | str) and not isinstance(value, bool) and not name.startswith("_")
    }
    names = module.labels
    name = public(module.backbone.name) if module.backbone.name is not None else None
    return TEMPLATE.format(
        tag=type(module).__name__,
        # A path means nothing on another machine; a hub id does.
        parent=f"base_model: {json.dumps(module.backbone.name)}\n" if _is_hub_id(module.backbone.name) else "",
        title=f"{type(module).__name__} of {code(name or module.backbone.label)}",
        kind=type(module).__name__,
        version=_version(),
        backbone=f"the weights {code(name)}" if name else "scratch",
        lineage=_steps(lineage(module)),
        architecture=module.model.config.model_type,
        parameters=sum(p.numel() for p in module.model.parameters()) / 1e6,
        data=code(data, 400) if (data := _data(module)) else "not known",
        steps=_taken(module),
        scores=f"| best {code(module.monitor)} | {float(best):.4f} |\n" if best is not None else "",
        options=(f"| calibrated | {module.calibration}, in the last layer |\n" if module.calibration else "")
        + (f"| labels | {listed(names)} |\n" if names else "")
        + "".join(f"| {key} | {_value(value)} |\n" for key, value in options.items()).rstrip("\n"),
        loading=_loading(module, name),
    )


def _taken(module: NetworkModule) -> str:
    """How many steps were taken, and after which of them the weights are those of the card."""
    trainer, kept = module._trainer, module.kept_step
    if trainer is None:
        return "not known"
    last = trainer.global_step
    return f"{last:,}" if kept in (None, last) else f"{last:,}; the weights are those after step {kept:,}"


def _loading(module: NetworkModule, name: str | None) -> str:
    alone = module.backbone.adapters and not module.backbone.merge_adapters
    text = (ADAPTERS if alone else WHOLE).format(auto_class=module.auto_class, base=json.dumps(name))
    if module.tokenizer is None:
        return text
    head, _, tail = text.partition("import " + module.auto_class)
    return f"{head}import AutoTokenizer, {module.auto_class}{tail}{TOKENIZER}"


def _value(value: object) -> str:
    return code(public(value)) if isinstance(value, str) else str(value)


def _data(module: NetworkModule) -> str | None:
    """What was trained on, in few words: the first files of many, and no place on this machine."""
    files = files_of(data_facts(module.datamodule), "train")
    if files is None:
        return None
    parts = files.split(" + ")
    shown = [_few([public(file) for file in part.split(", ")], ", ", "files") for part in parts[: MOST + 1]]
    return _few(shown + parts[MOST + 1 :], " + ", "parts")


def _few(names: list[str], joint: str, what: str) -> str:
    rest = len(names) - MOST
    return joint.join(names[:MOST]) + (f" and {rest:,} more {what}" if rest > 0 else "")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pretune")
    except PackageNotFoundError:  # used from a folder on the path
        return "(not installed)"


def lineage(module: NetworkModule) -> list[dict[str, Any]]:
    """What made the weights what they are, oldest first: of each run its class, data, steps and what it began with.

    It is an entry of the exported configuration, which travels with the weights from run to run.
    """
    trainer = module._trainer
    own = {
        "class": type(module).__name__,
        "data": _data(module),
        "steps": (module.kept_step or trainer.global_step) if trainer is not None else None,
        "from": public(module.backbone.name) if module.backbone.name is not None else None,
    }
    return [*(getattr(module.model.config, LINEAGE, None) or []), own]


def _steps(entries: list[dict[str, Any]]) -> str:
    if len(entries) < 2:
        return ""
    lines = [
        f"{number}. {code(e['class'])} on {code(public(e['data']), 400) if e['data'] else 'data not known'}, "
        f"{code(e['steps']) if e['steps'] else 'unknown'} steps, from "
        + (code(public(e["from"])) if e["from"] else "scratch")
        for number, e in enumerate(entries, 1)
    ]
    return "Its parents, and itself:\n\n" + "\n".join(lines) + "\n\n"


def _is_hub_id(name: str | None) -> bool:
    from pathlib import Path

    return name is not None and not Path(name).exists() and not name.endswith(".ckpt")
