"""What an export is for, and how it is used in a few lines that need transformers alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...contracts import data_facts
from ...text.card_sections import PLACE
from ...text.markdown import public
from ..inputs import takes_types

if TYPE_CHECKING:
    from ..base import BaseModule

TEXT = '"A text of the kind that it was trained on."'
START = "It is a start for fine-tuning: `model.backbone` takes its name, or the path of its folder."


@dataclass(frozen=True)
class Usage:
    """How an export is used.

    Args:
        purpose: a sentence or two.
        code: Python; what it needs of the weights is loaded at `PLACE`.
        pipeline_tag: what the Hub calls the task; null where it has no name for it.
    """

    purpose: str
    code: str
    pipeline_tag: str | None = None


def usage(module: BaseModule) -> Usage:
    """Return how what a module exports is used: by the class that reads it, whichever objective or task it is of.

    Args:
        module: a built one.
    """
    found = _KINDS[_kind(module)](module)
    if module.tokenizer is None:
        return replace(found, code=_model_alone(module))
    return found


def _kind(module: BaseModule) -> str:
    # A task keeps its kind where a backbone has no head of its own for it, and takes another class.
    of_class, chosen = getattr(type(module), "auto_class", module.auto_class), module.auto_class
    if module.learns_from == "labels":
        return of_class if of_class in _KINDS else chosen if chosen in _KINDS else "AutoModel"
    if module.learns_from == "sentence pairs":
        return "AutoModelForMaskedLM" if "mlm" in module.parts() else "AutoModel"
    known = ("AutoModelForMaskedLM", "AutoModelForCausalLM", "AutoModel")
    plain = {"AutoModelForSeq2SeqLM": "gaps", **{name: name for name in known}}
    return plain.get(chosen, "replaced")


# ---------------------------------------------------------------------- kinds


def _classification(module: BaseModule) -> Usage:
    labels, problem = module.labels or [], module.problem
    if problem == "regression":
        purpose = "It gives a text a number."
    elif problem == "multi":
        purpose = f"It gives a text any number of {len(labels):,} labels."
    else:
        purpose = f"It gives a text one of {len(labels):,} labels."
    option = ", top_k=None" if problem == "multi" else ""
    code = _pipeline(module, "classify", "text-classification", f"print(classify({TEXT}{option}))")
    return Usage(purpose, code, "text-classification")


def _tags(module: BaseModule) -> Usage:
    kinds = {name.partition("-")[2] for name in module.labels or [] if name[:2] in ("B-", "I-")}
    what = f"entities of {len(kinds):,} kinds" if kinds else f"each word's tag, one of {len(module.labels or []):,},"
    option = ', aggregation_strategy="first"' if kinds else ""
    code = _pipeline(module, "tag", "token-classification", f"print(tag({TEXT}))", option)
    return Usage(f"It finds {what} in a text.", code, "token-classification")


def _answers(module: BaseModule) -> Usage:
    code = _loaded(module) + (
        'inputs = tokenizer("Who wrote it?", "It was written by Ada in one night.", '
        f'return_tensors="pt"{_reading(module)})\n'
        "start, end = (scores.softmax(-1) for scores in model(**inputs).to_tuple()[:2])\n"
        "first, last = divmod(int((start.mT @ end).triu().argmax()), end.shape[1])  # no end before its start\n"
        'print(tokenizer.decode(inputs["input_ids"][0, first : last + 1]))'
    )
    return Usage("It finds the answer to a question in a text, word for word.", code, "question-answering")


def _choice(module: BaseModule) -> Usage:
    whole = module.auto_class == "AutoModelForMultipleChoice"
    call = "model(**{name: rows[None] for name, rows in inputs.items()})" if whole else "model(**inputs)"
    code = _loaded(module) + (
        'inputs = tokenizer(["She opened the door and"] * 2, ["went in.", "was a stone."], '
        f'return_tensors="pt", padding=True{_reading(module)})\n'
        f"scores = {call}.logits.flatten()\n"
        "print(int(scores.argmax()), scores.softmax(-1).tolist())"
    )
    return Usage("It chooses the one of several endings that fits a context.", code, "multiple-choice")


def _writing(module: BaseModule) -> Usage:
    before, after = data_facts(module.datamodule).around_source
    text = json.dumps(f"{before}A text to be turned into another.{after}", ensure_ascii=False)
    if module.auto_class == "AutoModelForCausalLM":
        new = f"print(write({text}, return_full_text=False))"
        code = _pipeline(module, "write", "text-generation", new)
    else:
        code = _loaded(module) + (
            f'inputs = tokenizer({text}, return_tensors="pt"{_reading(module)})\n'
            f"written = model.generate(**inputs{_length(module)})\n"
            "print(tokenizer.decode(written[0], skip_special_tokens=True))"
        )
    return Usage("It turns a text into another, as the pairs that it was trained on show.", code, "text-generation")


def _going_on(module: BaseModule) -> Usage:
    if module.learns_from == "labels":
        messages = '[{"role": "user", "content": "Say it in one word."}]'
        code = _pipeline(module, "answer", "text-generation", f"print(answer({messages}, return_full_text=False))")
        return Usage("It answers instructions, and goes on with conversations.", code, "text-generation")
    code = _pipeline(module, "write", "text-generation", f"print(write({TEXT}))")
    return Usage(f"It goes on writing a text. {START}", code, "text-generation")


def _masks(module: BaseModule) -> Usage:
    code = _pipeline(module, "fill", "fill-mask", 'print(fill(f"One {fill.tokenizer.mask_token} is hidden."))')
    return Usage(f"It tells which words could stand at hidden places of a text. {START}", code, "fill-mask")


def _gaps(module: BaseModule) -> Usage:
    code = _loaded(module) + (
        f'inputs = tokenizer({TEXT}, return_tensors="pt"{_reading(module)})\n'
        f"written = model.generate(**inputs{_length(module)})\n"
        "print(tokenizer.decode(written[0], skip_special_tokens=False))"
    )
    return Usage(f"It writes what is missing in a text with gaps. {START}", code, "text-generation")


def _replaced(module: BaseModule) -> Usage:
    code = _loaded(module) + (
        f'inputs = tokenizer({TEXT}, return_tensors="pt"{_reading(module)})\n'
        "logits = model(**inputs).logits.flatten()  # above 0: not what stood there\n"
        'print(list(zip(tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist()), logits.tolist())))'
    )
    return Usage(f"It tells which tokens of a text were replaced by others. {START}", code)


def _vectors(module: BaseModule) -> Usage:
    code = _pipeline(module, "read", "feature-extraction", f"print(read({TEXT}))")
    return Usage(f"It gives each token of a text a vector. {START}", code, "feature-extraction")


# ---------------------------------------------------------------------- lines of code


def _length(module: BaseModule) -> str:
    """Return how much is written, where the export does not say."""
    config: Any = getattr(module.model, "generation_config", None)
    known = config is not None and config.max_new_tokens is not None
    return "" if known else ", max_new_tokens=64"


def _reading(module: BaseModule) -> str:
    """Return the option of a tokenizer that tells texts apart by numbers which the network does not take."""
    tells = module.tokenizer is not None and "token_type_ids" in module.tokenizer.model_input_names
    return "" if takes_types(module.model) or not tells else ", return_token_type_ids=False"


def _pipeline(module: BaseModule, name: str, task: str, call: str, options: str = "") -> str:
    if _adapters_alone(module):
        return _loaded(module, "pipeline") + f'{name} = pipeline("{task}", model, tokenizer=tokenizer{options})\n{call}'
    return f'from transformers import pipeline\n\n{name} = pipeline("{task}", "{PLACE}"{options})\n{call}'


def _loaded(module: BaseModule, *names: str) -> str:
    """Return the lines that load model and tokenizer."""
    auto = module.auto_class
    imports = f"from transformers import {', '.join(sorted([auto, 'AutoTokenizer', *names]))}\n\n"
    if _adapters_alone(module):
        return f"from peft import PeftModel\n{imports}{_adapted(module)}tokenizer = {_read('AutoTokenizer')}\n"
    return f"{imports}tokenizer, model = {_read('AutoTokenizer')}, {_read(auto)}\n"


def _model_alone(module: BaseModule) -> str:
    """Return the lines that load the model, where nobody knows its tokenizer."""
    auto = module.auto_class
    if _adapters_alone(module):
        return f"from peft import PeftModel\nfrom transformers import {auto}\n\n{_adapted(module)}".rstrip()
    return f"from transformers import {auto}\n\nmodel = {_read(auto)}"


def _adapted(module: BaseModule) -> str:
    head = f", num_labels={len(module.labels)}" if module.labels else ""  # the base has not the head that is in there
    base = json.dumps(public(str(module.backbone.name)), ensure_ascii=False)
    return (
        f"base = {module.auto_class}.from_pretrained({base}{head})\n"
        f'model = PeftModel.from_pretrained(base, "{PLACE}")\n'
    )


def _read(kind: str) -> str:
    return f'{kind}.from_pretrained("{PLACE}")'


def _adapters_alone(module: BaseModule) -> bool:
    return bool(module.backbone.adapters) and not module.backbone.merge_adapters


_KINDS: dict[str, Callable[[BaseModule], Usage]] = {
    "AutoModelForSequenceClassification": _classification,
    "AutoModelForTokenClassification": _tags,
    "AutoModelForQuestionAnswering": _answers,
    "AutoModelForMultipleChoice": _choice,
    "AutoModelForSeq2SeqLM": _writing,
    "AutoModelForCausalLM": _going_on,
    "AutoModelForMaskedLM": _masks,
    "AutoModel": _vectors,
    "gaps": _gaps,
    "replaced": _replaced,
}
