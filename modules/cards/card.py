"""The model card of an export: what it is, how to use it, how well it did, what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...contracts import data_facts
from ...text.card_sections import fenced, folded, section
from ...text.markdown import code, public
from ..backbone.weight_report import shown_count
from ..setting import setting, versions
from .lineage import data_of, lineage, steps_of
from .metadata import metadata, parent_metadata
from .options import CardOptions
from .usage import usage

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

    from ..base import BaseModule

MOST_LABELS = 20
"""Rows of the table of labels."""
NOT_INSTALLED = "(not installed)"
"""The version of a package that is used from a folder on the path."""
LONGEST_DATA = 400
"""Characters that say what was trained on."""


def model_card(module: BaseModule, options: CardOptions) -> str:
    """Return the text of README.md for what a module exports.

    What follows from a whole run, and from its test, has places that are filled when it is known: see
    `text.card_sections`.

    Args:
        module: a built one.
        options: what no run can know.
    """
    use = usage(module)
    data = metadata(module, options, use.pipeline_tag)
    name = public(module.backbone.name) if module.backbone.name is not None else None
    kind, beginning = type(module).__name__, "scratch" if name is None else f"the weights {code(name)}"
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {kind} of {code(name or module.backbone.label)}",
        f"Made by `{kind}` of pretune {versions().get('pretune', NOT_INSTALLED)} from {beginning}. "
        f"{_legal(data, module.backbone.name, options)}",
        f"## What it is for\n\n{use.purpose} How it does on texts unlike those it was trained on is not known.",
        f"## How to use it\n\n{fenced(use.code, 'python')}",
        _labels(module, options.examples),
        f"## Scores\n\n{section('scores', _best(module))}".rstrip(),
        _training_data(module),
        _training(module),
        _parents(lineage(module)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _legal(data: ModelCardData, parent: str | None, options: CardOptions) -> str:
    """Return what is known of license and language, and a visible line for what is not."""
    said = []
    inherited = parent_metadata(parent)
    for name in ("license", "language"):
        value = getattr(data, name, None)
        if value is None:
            said.append(f"{name.capitalize()}: not known (`card.{name}` says it).")
        elif getattr(options, name) is None and inherited.get(name) == value:
            said.append(f"{name.capitalize()}: {_words(value)}, as that of the weights it began with.")
        else:
            said.append(f"{name.capitalize()}: {_words(value)}.")
    return " ".join(said)


def _words(value: Any) -> str:
    return ", ".join(code(one) for one in value) if isinstance(value, list) else code(value)


# ---------------------------------------------------------------------- labels and data


def _labels(module: BaseModule, most: int) -> str:
    """Return the table of labels: how often the training rows have each, and what such a text looks like."""
    known = data_facts(module.datamodule)
    facts: Mapping[str, tuple[int, list[str]]] = {}
    with suppress(AttributeError, KeyError):  # nothing was trained on in this process
        facts = known.label_facts("train", most)
    names = list(facts) or list(module.labels or [])
    if not names:
        return ""
    shows = any(texts for _, texts in facts.values())
    head = ["label", *(["in training"] if facts else []), *(["examples" if most > 1 else "example"] if shows else [])]
    rows = []
    for name in names[:MOST_LABELS]:
        count, texts = facts.get(name, (0, []))
        cells = [code(name), *([f"{count:,}"] if facts else []), *(["<br>".join(map(code, texts))] if shows else [])]
        rows.append(cells)
    if len(names) > MOST_LABELS:
        rows.append([f"and {len(names) - MOST_LABELS:,} more", *[""] * (len(head) - 1)])
    return "## Labels\n\n" + table(head, rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown; cells are taken as they are."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _training_data(module: BaseModule) -> str:
    facts = data_facts(module.datamodule)
    rows = [["trained on", code(named, LONGEST_DATA) if (named := data_of(module)) else "not known"]]
    if (validated := data_of(module, "validation")) is not None:
        rows.append(["validated on", code(validated, LONGEST_DATA)])
    for split, words in (("train", "rows to train on"), ("validation", "rows to validate on")):
        with suppress(AttributeError, KeyError, TypeError, IndexError):  # another's datamodule, or one not set up
            rows.append([words, f"{len(facts.datasets[split]):,}"])  # type: ignore[attr-defined]
    for name, count in (facts.counts.get("train") or {}).items():
        rows.append([f"{name} to train on", f"{int(count):,}"])
    if facts.longest is not None:
        rows.append(["longest input", f"{facts.longest:,} tokens"])
    return "## Training data\n\n" + table(["", ""], rows)


# ---------------------------------------------------------------------- training


def _training(module: BaseModule) -> str:
    """Return steps, hardware and versions; the options folded away."""
    rows = [
        ["architecture", f"{module.model.config.model_type}, {_size(module)} parameters"],
        ["optimizer steps", steps_of(module)],
    ]
    if module.calibration:
        rows.append(["calibrated", f"{module.calibration}, in the last layer"])
    trainer = module._trainer
    if trainer is not None:
        facts = setting(trainer)
        processes = f", {facts['processes']} processes" if facts["processes"] > 1 else ""
        rows.append(["hardware", f"{code(facts['device'])}{processes}, {code(facts['precision'])}"])
        rows.append(["system", code(facts["system"])])
    rows.append(["versions", ", ".join(f"{name} {number}" for name, number in versions().items())])
    return "\n\n".join(
        [
            "## Training",
            table(["", ""], rows),
            section("time").rstrip(),
            section("curves").rstrip(),
            section("configuration", folded("Options", table(["", ""], _options(module)))).rstrip(),
        ]
    )


def _size(module: BaseModule) -> str:
    return shown_count(sum(parameter.numel() for parameter in module.model.parameters()))


def _options(module: BaseModule) -> list[list[str]]:
    return [
        [name, code(public(value)) if isinstance(value, str) else str(value)]
        for name, value in sorted(module.hparams.items())
        if isinstance(value, int | float | str) and not isinstance(value, bool) and not name.startswith("_")
    ]


def _best(module: BaseModule) -> str:
    """Return the best score on validation; a run's own folder knows more."""
    trainer = module._trainer
    best = getattr(trainer.checkpoint_callback, "best_model_score", None) if trainer is not None else None
    if best is None:
        return "Not tested."
    return f"Not tested. Best {code(module.monitor)} while training: {float(best):.4f}."


def _parents(entries: list[dict[str, Any]]) -> str:
    if len(entries) < 2:
        return ""
    lines = [
        f"{number}. {code(e['class'])} on "
        f"{code(public(e['data']), LONGEST_DATA) if e['data'] else 'data not known'}, "
        f"{code(e['steps']) if e['steps'] else 'unknown'} steps, from "
        + (code(public(e["from"])) if e["from"] else "scratch")
        for number, e in enumerate(entries, 1)
    ]
    return "## Parents\n\nThose that it came from, and itself:\n\n" + "\n".join(lines)
