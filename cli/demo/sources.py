"""What is shown: a configuration, a run or an export, as the options with which `predict` would load it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...checkpoints import find_checkpoint, run_of, versions
from ...errors import InputError

HEADS = {
    "ForSequenceClassification": ("TextClassification", "TextClassificationDataModule"),
    "ForTokenClassification": ("TokenClassification", "TokenClassificationDataModule"),
    "ForQuestionAnswering": ("QuestionAnswering", "QuestionAnsweringDataModule"),
    "ForMultipleChoice": ("MultipleChoice", "MultipleChoiceDataModule"),
    "ForMaskedLM": ("MaskedLanguageModeling", "CorpusDataModule"),
    "ForPreTraining": ("MaskedLanguageModeling", "CorpusDataModule"),
    "ForConditionalGeneration": ("SequenceToSequence", "SequenceToSequenceDataModule"),
    "ForCausalLM": ("CausalLanguageModeling", "CorpusDataModule"),
    "LMHeadModel": ("CausalLanguageModeling", "CorpusDataModule"),
}
"""Of networks without a run, by the end of their class: what they are shown as."""


def arguments(place: str, others: Sequence[str] = ()) -> list[str]:
    """Return the options with which a run or an export is loaded.

    Args:
        place: a run folder, a folder of runs, a checkpoint, an export, or any folder in Hugging Face's format.
        others: options from the command line, which come after.

    Raises:
        InputError: if there are no weights.
    """
    path = Path(place).expanduser()
    if path.is_file() and path.suffix == ".ckpt":
        run = run_of(path)
        return [*_configured(run or path.parent, place), "--ckpt_path", str(path), *others]
    if not path.is_dir():
        raise InputError(f"There is no run or export {place}; runs/NAME, or a folder with config.json, would work.")
    for run in [path, *reversed(versions(path))]:
        if (run / "config.yaml").is_file() and find_checkpoint(run, "best") is not None:
            return [*_configured(run, place), "--ckpt_path", str(run), *others]
        for export in (run, run / "export"):
            if (export / "config.json").is_file() and any(export.glob("*.safetensors")):
                return [*_exported(export), *others]
    raise InputError(f"{place} holds no weights: neither a checkpoint of a run nor an export. Train it first: fit.")


def _configured(run: Path, place: str) -> list[str]:
    if not (run / "config.yaml").is_file():
        raise InputError(f"{place} lies in no run with a config.yaml: give --config with what it was trained by.")
    return ["--config", str(run / "config.yaml")]


def _exported(export: Path) -> list[str]:
    """Return the options for a network in Hugging Face's format: those of its run, or those that its class asks for."""
    weights = [f"--model.init_args.backbone={export}"]
    if (export.parent / "config.yaml").is_file():
        return ["--config", str(export.parent / "config.yaml"), *weights]
    config: dict[str, Any] = json.loads((export / "config.json").read_text(encoding="utf-8"))
    name = next(iter(config.get("architectures") or []), "")
    kind = next((kind for head, kind in HEADS.items() if name.endswith(head)), None)
    if kind is None:
        known = ", ".join(f"...{head}" for head in HEADS)
        raise InputError(f"{export} is of the class {name or '(not named)'}, and these can be shown: {known}.")
    return ["--model", kind[0], *weights, "--data", kind[1], "--name", export.name]


def name_of(args: Sequence[str], place: str | None) -> str:
    """Return what a model is called on the page."""
    if place is not None:
        return place.rstrip("/")
    from ..arguments import run_name

    return run_name(args)
