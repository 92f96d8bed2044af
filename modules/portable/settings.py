"""What lies beside a graph: a tokenizer ready to use, what a prediction needs to know, and a script that makes one."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from ...contracts import data_facts
from ...errors import InputError
from ...text.chat import ChatFormat, read_template
from ...text.encoding import backend_of
from ...text.tokenizer import joins_bare, pad_id, separator_id, special_frame
from ..backbone.families import family
from ..backbone.positions import max_positions
from .rows import longest_input

if TYPE_CHECKING:
    from ..base import BaseModule

SCRIPTS = Path(__file__).parent / "scripts"
SCRIPT_OF = {
    "TextClassification": "text_classification",
    "TokenClassification": "token_classification",
    "QuestionAnswering": "question_answering",
    "MultipleChoice": "multiple_choice",
    "MaskedLanguageModeling": "masked_words",
    "ReplacedTokenDetection": "outputs",
    "NextSentencePrediction": "outputs",
    "SentenceOrderPrediction": "outputs",
    "CausalLanguageModeling": "continuing",
    "InstructionTuning": "continuing",
    "SequenceToSequence": "writing",
    "SpanDenoising": "writing",
}
"""By class; that of a subclass is its nearest ancestor's, and what has none prints outputs."""
ARGUMENTS = {
    "question_answering": "QUESTION TEXT [QUESTION TEXT ...]",
    "multiple_choice": "CONTEXT ENDING ENDING [ENDING ...]",
}
"""What a script is given on its command line, where that is not one text or several."""
ASKED = "\ue000"
"""Stands for what a user says, to see what a chat template puts around it."""
NO_LIMIT = 1 << 30


def write_beside(module: BaseModule, folder: Path) -> None:
    """Write `tokenizer.json`, `settings.json` and `predict.py`.

    Args:
        module: a built one.
        folder: of the graph.

    Raises:
        InputError: if there is no fast tokenizer.
    """
    script = script_of(module)
    told = {"task": type(module).__name__, "script": script, "arguments": arguments_of(script)}
    told |= settings(module, script)
    _tokenizer(module, script).save(str(folder / "tokenizer.json"))
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "settings.json").write_text(text + "\n", encoding="utf-8")
    shutil.copyfile(SCRIPTS / f"{script}.py", folder / "predict.py")


def script_of(module: BaseModule) -> str:
    """Return the name of the script that predicts as a module does."""
    names = [kind.__name__ for kind in type(module).__mro__]
    found = next((SCRIPT_OF[name] for name in names if name in SCRIPT_OF), "outputs")
    return "continuing" if found == "writing" and not module.model.config.is_encoder_decoder else found


def arguments_of(script: str) -> str:
    """Return what stands behind a script's name on the command line."""
    return ARGUMENTS.get(script, "TEXT [TEXT ...]")


def refuse_without_tokenizer(module: BaseModule) -> None:
    """Raise an `InputError` where there is none that the package `tokenizers` reads."""
    if module.tokenizer is None or backend_of(module.tokenizer) is None:
        raise InputError(
            f"This {type(module).__name__} has no fast tokenizer (a tokenizer.json), which predict.py beside an ONNX "
            "export reads: --format safetensors would work."
        )


def _tokenizer(module: BaseModule, script: str) -> Tokenizer:
    """Return a copy of the tokenizer that pads, and divides or cuts what is too long."""
    tokenizer = Tokenizer.from_str(backend_of(module.tokenizer).to_str())
    own, data = module.tokenizer, module.datamodule
    tokenizer.enable_padding(pad_id=pad_id(own), pad_token=own.pad_token or own.convert_ids_to_tokens(pad_id(own)))
    longest = longest_input(module)
    windows = {"stride": min(getattr(data, "stride", None) or longest // 4, longest // 2)}
    if script == "question_answering":
        tokenizer.enable_truncation(longest, strategy="only_second", **windows)
    elif script == "token_classification":
        tokenizer.enable_truncation(longest, **windows)
    elif script not in ("continuing", "masked_words"):  # which do so themselves
        tokenizer.enable_truncation(longest)
    return tokenizer


def settings(module: Any, script: str) -> dict[str, Any]:
    """Return what a script needs to know of a module; plain data."""
    tokenizer = module.tokenizer
    between = "\n" if joins_bare(tokenizer) else ""
    if script == "text_classification":
        # Of validation, found without a temperature: those of probabilities that come with it.
        tempered = (module.thresholds.logit() / module.temperature).sigmoid() if module.problem == "multi" else None
        thresholds = None if tempered is None else tempered.tolist()
        return {"problem": module.problem, "labels": list(module.labels), "thresholds": thresholds, "between": between}
    if script == "token_classification":
        return {"labels": list(module.labels)}
    if script == "question_answering":
        least = float(module.null_threshold)
        last = family(module.model.config) in ("decoder", "encoder-decoder")
        return {
            "max_answer_length": module.max_answer_length,
            "null_threshold": least if math.isfinite(least) else None,
            "null": "last" if last else "first",
        }
    if script == "multiple_choice":
        return {"between": between}
    if script == "masked_words":
        before, after = special_frame(tokenizer)
        return {
            "mask_token": tokenizer.mask_token,
            "mask_id": tokenizer.mask_token_id,
            "words": len(tokenizer),  # others stand for no word
            "ids_before": before,
            "ids_after": after,
            "positions": max_positions(module.model.config) or NO_LIMIT,
        }
    if script == "continuing":
        return _continuing(module)
    return _writing(module) if script == "writing" else {}


def _continuing(module: Any) -> dict[str, Any]:
    tokenizer, data = module.tokenizer, module.datamodule
    end = separator_id(tokenizer)
    own = module.model.generation_config.eos_token_id
    stops: list[Any] = module.stop_ids() if hasattr(module, "stop_ids") else [own if isinstance(own, int) else end]
    found: dict[str, Any] = {
        "text_before": "",
        "text_after": "",
        "ids_before": [],
        "ids_after": [],
        "room": None,
        "begin_id": pad_id(tokenizer) if end is None else end,
        "stop_ids": [i for i in stops if i is not None],
        "max_new_tokens": module.generation["max_new_tokens"],
        "positions": max_positions(module.model.config) or NO_LIMIT,
    }
    if _is_a(module, "InstructionTuning"):
        chat = data.format if hasattr(data, "format") else ChatFormat(tokenizer, read_template(None, tokenizer)[0])
        text = chat.prompt("predict.py", [{"role": "user", "content": ASKED}])
        found["text_before"], _, found["text_after"] = text.partition(ASKED)
    elif _is_a(module, "SequenceToSequence"):
        separator = getattr(data, "separator", "\n\n")
        found["text_before"] = getattr(data, "source_prefix", "")
        found["ids_before"] = special_frame(tokenizer)[0]
        found["ids_after"] = tokenizer(separator, add_special_tokens=False)["input_ids"]
        found["room"] = max(1, longest_input(module) - len(found["ids_before"]) - len(found["ids_after"]))
    return found


def _is_a(module: Any, name: str) -> bool:
    """Return whether a module is of a class, which this file cannot import: tasks import what it does."""
    return name in (kind.__name__ for kind in type(module).__mro__)


def _writing(module: Any) -> dict[str, Any]:
    config, own = module.model.config, module.model.generation_config
    options = module._options() if hasattr(module, "_options") else {}
    start = options.get("decoder_start_token_id", config.decoder_start_token_id)
    forced = options.get("forced_bos_token_id", own.forced_bos_token_id)
    stops = module.stop_ids() if hasattr(module, "stop_ids") else [own.eos_token_id]
    return {
        "text_before": getattr(module.datamodule, "source_prefix", ""),
        "start_ids": [i for i in (start, forced) if i is not None],
        "stop_ids": [i for i in stops if i is not None],
        "max_new_tokens": options.get("max_new_tokens", data_facts(module.datamodule).longest_target or 128),
    }
