"""Labels and predictions of two runs, made comparable: under the model's names, in one scheme of tags, as arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.plain_files import read_json, read_yaml
from ...text.tags import detect
from .prediction_tables import comparable


def names_of(run: Path) -> dict[str, str]:
    """Return how a run's model names what files may hold as numbers, or under other names."""
    saved, exported = run / "config.yaml", run / "export" / "config.json"
    label_names: Any = read_yaml(saved) if saved.is_file() else None
    for name in ("data", "init_args", "label_names"):
        label_names = label_names.get(name) if isinstance(label_names, dict) else None
    if isinstance(label_names, dict):
        return {str(theirs): str(ours) for theirs, ours in label_names.items()}
    if isinstance(label_names, list):
        return {str(number): str(name) for number, name in enumerate(label_names)}
    config = read_json(exported) if exported.is_file() else {}
    known = config.get("id2label") if isinstance(config, dict) else None
    numbered = {str(number): str(name) for number, name in known.items()} if isinstance(known, dict) else {}
    return {} if set(numbered.values()) & set(numbered) else numbered


def named(value: Any, names: dict[str, str]) -> Any:
    """Return a label, or a list of them, under the model's names."""
    if isinstance(value, list):
        return [named(one, names) for one in value]
    return names.get(str(value), value) if isinstance(value, str | int) else value


def in_iob2(values: list[Any], label: str) -> list[Any]:
    """Return tags in the scheme that they are predicted in; other labels as they are."""
    if not all(isinstance(value, list) and all(isinstance(tag, str) for tag in value) for value in values):
        return values
    convention = detect(values)
    return [convention.read(f"row {number + 1}, {label}", value) for number, value in enumerate(values)]


def is_tag(label: Any) -> bool:
    """Return whether a label is a tag of a word: O, or one with a prefix."""
    return label == "O" or str(label)[1:2] == "-"


def number(value: Any) -> Any:
    """Return a number that a table holds as text; anything else as it is."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return value


def column(values: list[Any]) -> np.ndarray:
    """Return values as an array that can be indexed by rows: of numbers, or of anything."""
    if all(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    cells = np.empty(len(values), object)
    cells[:] = [json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for v in values]
    if not all(_is_answers(value) for value in values):
        cells[:] = [v if isinstance(v, str) else comparable(v) if isinstance(v, dict) else str(v) for v in cells]
        cells = cells.astype(str)
    return cells


def _is_answers(value: Any) -> bool:
    """Return whether a value is of SQuAD's answers."""
    texts = value.get("text") if isinstance(value, dict) else None
    return isinstance(texts, list) and all(isinstance(text, str) for text in texts)
