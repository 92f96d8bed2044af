"""The folder of a saved page, whole or not there."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....contracts import data_facts
from ....errors import InputError
from ....storage.whole_folders import swapped_in
from ....text.places import WORD
from ....text.tokenizer import separator_id, special_frame
from ..page.view import Fields

if TYPE_CHECKING:
    from ..load import Model

HERE = Path(__file__).parent
README = """---
title: {title}
emoji: 📝
colorFrom: indigo
colorTo: blue
sdk: gradio
sdk_version: {gradio}
app_file: app.py
pinned: false
---

A page on which to try a model that was trained by pretune; its card is `export/README.md`. To run it here:

```console
pip install -r requirements.txt
python app.py
```
"""


def write_app(folder: str, model: Model, title: str, examples: list[Fields], examples_from: str) -> str:
    """Write the folder: `app.py`, `requirements.txt`, `README.md`, the page and the export.

    Args:
        folder: to be made; one that this wrote before is replaced.
        model: loaded.
        title: of the page.
        examples: to choose from.
        examples_from: what they are called.

    Returns:
        The folder.

    Raises:
        InputError: if something else is there, or the export would need more than transformers.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "page.json").is_file())):
        raise InputError(f"--save {folder}: something else is there; a new folder would work.")
    module, view = model.module, model.task.view
    if module.backbone.adapters and not module.backbone.merge_adapters:
        raise InputError("--save needs a whole network: set model.backbone.merge_adapters: true and export it again.")
    if module.backbone.trust_remote_code:
        raise InputError(
            "--save writes a page for transformers' own networks, and this one comes with code of its own."
        )
    name = title.replace("/", " ").strip()
    with swapped_in(target) as place:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE.parent / "page", place / "page", ignore=ignored)
        shutil.copy(HERE / "app.py", place / "app.py")
        shutil.copy(HERE / f"{'writing' if view == 'chat' else view}.py", place / "predictor.py")
        module.save_pretrained(place / "export")
        made = {
            "title": name,
            "view": view,
            "settings": model.task.settings(),
            "predictor": options_of(model),
            "examples": examples,
            "examples_from": examples_from,
        }
        (place / "page.json").write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        needed = [f"{package}>={version(package)}" for package in ("transformers", "gradio")]
        needed += [f"torch>={version('torch').partition('+')[0]}"]
        (place / "requirements.txt").write_text("\n".join(needed) + "\n", encoding="utf-8")
        front = {"title": json.dumps(name, ensure_ascii=False), "gradio": version("gradio")}
        (place / "README.md").write_text(README.format(**front), encoding="utf-8")
    print(f"Saved to {folder}: python {folder}/app.py serves it, with transformers and gradio alone.", flush=True)
    return folder


def options_of(model: Model) -> dict[str, Any]:
    """Return what a predictor must know beside the export: plain data."""
    module, data, view = model.module, model.data, model.task.view
    options: dict[str, Any] = {"max_length": data_facts(data).longest}
    if view == "labels":
        options |= {"problem": module.problem, "labels": list(module.labels or [])}
        if module.problem == "multi":
            options["thresholds"] = module.thresholds.tolist()
    elif view == "entities":
        options |= {"word": WORD.pattern, "tagging": bool(module.tagging)}
    elif view == "answers":
        threshold = float(module.null_threshold)
        options |= {"n_best": module.n_best, "max_answer_length": module.max_answer_length, "stride": data.stride}
        options["null_threshold"] = None if threshold == float("inf") else threshold
    elif view in ("writing", "chat"):
        options |= _writing(model)
    return options


def _writing(model: Model) -> dict[str, Any]:
    module, data, chat = model.module, model.data, model.task.view == "chat"
    encoder = bool(module.model.config.is_encoder_decoder)
    continues = not chat and model.task.settings()["continues"]
    options: dict[str, Any] = {
        "kind": "chat" if chat else "causal" if continues else "source",
        "encoder": encoder,
        "generation": module.generation,
        "before": "" if chat or continues else data.source_prefix,
        "ids_before": [],
        "ids_after": [],
        "end": [],
    }
    if continues:
        end = separator_id(module.tokenizer)
        end = (module.tokenizer.pad_token_id or 0) if end is None else end
        options |= {"end": [end], "generation": {**module.generation, "pad_token_id": end, "eos_token_id": end}}
    elif not chat and not encoder:
        options["ids_before"] = special_frame(module.tokenizer)[0]
        options["ids_after"] = module.tokenizer(data.separator, add_special_tokens=False)["input_ids"]
    return options
