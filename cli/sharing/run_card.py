"""The model card of a run's export: what the module wrote, and what the whole run knows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from ...errors import InputError
from ...storage.atomic_files import write_text
from ...text.card_metrics import metric_type
from ...text.card_sections import PLACE, fenced, folded, with_sections
from ...text.markdown import code, public
from .run_facts import PICTURE, RunFacts, numbers
from .run_scores import scores_of_run

CARD = "README.md"
NOT_SHOWN = ("ckpt_path", "config", "stop_after", "untrained", "weights_only")
"""Options of a start, which say nothing of a run."""
SECRETS = re.compile(r"(?<=://)[^/@\s]+@")
"""Names and passwords in URLs."""


def write_run_card(run: Path) -> Path | None:
    """Bring the card of a run's export up to date, and put the picture of its curves beside it.

    Args:
        run: the run folder.

    Returns:
        Where the card is; None where the run has no export.

    Raises:
        InputError: if the card's front matter cannot be read.
        OSError: if it cannot be written.
    """
    card = run / "export" / CARD
    if not card.is_file():
        return None
    facts = RunFacts.of(run)
    if facts.picture is not None:
        _copy(facts.picture, card.with_name(PICTURE))
    text = card.read_text(encoding="utf-8")
    fresh = run_card(text, facts, str(card))
    if fresh != text:
        write_text(card, fresh)
    return card


def run_card(text: str, run: RunFacts, where: str, repository: str | None = None) -> str:
    """Return a card with what is known of its run.

    Args:
        text: of the card.
        run: what is known.
        where: the card's place, for messages.
        repository: ORG/NAME that it will be read at; null leaves the code in it as it is.

    Raises:
        InputError: if its front matter cannot be read.
    """
    from huggingface_hub import ModelCard

    try:
        card = ModelCard(text)
        data: Any = card.data
        scores = numbers(run.test, "test/")
        if scores:
            data.model_name = repository.partition("/")[2] if repository else run.name
            data.eval_results = _results(run, scores, data.pipeline_tag)
            data.metrics = sorted({metric_type(name) for name in scores if name != "loss"}) or None
        elif repository and data.eval_results:
            data.model_name = repository.partition("/")[2]
        content = str(card)
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"The front matter of {where} cannot be read ({first}): mend it, or delete it.") from error
    bodies = {
        "scores": scores_of_run(run),
        "curves": f"![Training and validation over the steps]({PICTURE})" if run.picture is not None else "",
        "time": _time(run),
        "configuration": _configuration(run.config),
    }
    content = with_sections(content, {name: body for name, body in bodies.items() if body})
    return content.replace(PLACE, repository) if repository else content


def _results(run: RunFacts, scores: dict[str, float], task: Any) -> list[Any]:
    """Return the scores of the test as the Hub's `model-index` has them."""
    from huggingface_hub import EvalResult

    dataset, subset = run.dataset
    files = ", ".join(public(file) for file in (run.tested_on or "not known").split(", "))
    return [
        EvalResult(
            task_type=str(task) if task else "other",
            dataset_type=dataset or "unknown",
            dataset_name=dataset or files,
            dataset_config=subset,
            dataset_split="test",
            metric_type=metric_type(name),
            metric_name=name,
            metric_value=round(value, 6),
        )
        for name, value in scores.items()
        if name != "loss" or len(scores) == 1
    ]


def _time(run: RunFacts) -> str:
    """Return how long training took, why it stopped, and the energy where the machine counts it."""
    lines = []
    if isinstance(seconds := run.fit.get("seconds"), int | float):
        lines.append(f"- Time: {_duration(seconds)}.")
    if isinstance(stopped := run.fit.get("stopped"), str):
        lines.append(f"- Stopped: {code(stopped, 200)}")
    energy = run.summary.get("energy")
    if isinstance(energy, dict) and isinstance(hours := energy.get("kilowatt_hours"), int | float):
        lines.append(f"- Energy: {hours:.3g} kWh, whatever else ran on the machine counted in.")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _configuration(config: dict[str, Any]) -> str:
    kept = {name: value for name, value in config.items() if name not in NOT_SHOWN}
    if not (shown := _said(kept)):
        return ""
    text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=110)
    return folded("Configuration", fenced(text, "yaml"))


def _said(value: Any) -> Any:
    """Return options without what is null, without places on this machine and without passwords in URLs."""
    if isinstance(value, dict):
        parts = {name: _said(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not None and part != {}}
    if isinstance(value, list):
        return [_said(part) for part in value]
    return SECRETS.sub("", public(value)) if isinstance(value, str) else value


def _copy(picture: Path, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
    try:
        shutil.copyfile(picture, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
