"""The tasks, what both sides are given, and the rows that both sides read."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
PARTS = ("train", "validation", "test")
SEED = 0
"""Of the rows that are held out or drawn: the same for every seed of a run, and for both sides."""
ENTITIES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")


@dataclass(frozen=True)
class Task:
    """A task and its hyperparameters, which are the same on both sides.

    Args:
        title: what the table calls it.
        kind: `classification`, `regression`, `tokens`, `questions` or `choice`.
        metrics: the weights are chosen by the first.
        columns: those that are read; `label` (or `tags`) is what is learned.
        label: the column of the label in the files.
        stride: tokens that two windows of a long context share.
        large: whether `--cap` applies.
        group: rows that agree in this column are held out together.
    """

    title: str
    kind: str
    metrics: tuple[str, ...]
    columns: tuple[str, ...]
    label: str = "label"
    epochs: int = 3
    learning_rate: float = (
        1e-4  # of the rates tried for small BERTs (arXiv 1908.08962); with 5e-5, three epochs end too soon
    )
    batch_size: int = 32
    max_length: int = 128
    warmup: float = 0.1
    weight_decay: float = 0.01
    stride: int = 0
    large: bool = False
    group: str | None = None


ONE, TWO = ("sentence",), ("sentence1", "sentence2")
TASKS = {
    "sst2": Task("SST-2", "classification", ("accuracy",), ONE),
    "ag_news": Task("AG News", "classification", ("accuracy",), ("text",), large=True),
    "trec": Task("TREC", "classification", ("accuracy",), ("text",), label="coarse_label"),
    "cola": Task("CoLA", "classification", ("mcc",), ONE),
    "mrpc": Task("MRPC", "classification", ("f1_binary", "accuracy"), TWO, epochs=5),
    "rte": Task("RTE", "classification", ("accuracy",), TWO, epochs=5, max_length=256),
    "stsb": Task("STS-B", "regression", ("pearson", "spearman"), TWO),
    "conll2003": Task(
        "CoNLL-2003",
        "tokens",
        ("f1",),
        ("tokens",),
        label="ner_tags",
        batch_size=16,
        max_length=256,
        large=True,
    ),
    "squad": Task(
        "SQuAD",
        "questions",
        ("f1", "exact_match"),
        ("id", "context", "question"),
        label="answers",
        batch_size=16,
        max_length=384,
        stride=128,
        large=True,
        group="title",
    ),
    "hellaswag": Task("HellaSwag", "choice", ("accuracy",), ("ctx", "endings"), batch_size=16, large=True),
    "chnsenticorp_htl": Task("ChnSentiCorp", "classification", ("accuracy",), ("text",), max_length=256),
}
METRICS = {
    "accuracy": "accuracy",
    "mcc": "MCC",
    "f1_binary": "F1",
    "f1": "F1",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "exact_match": "EM",
}


def prepare(data: Path, name: str, folder: Path, cap: int | None) -> dict[str, int]:
    """Writes the rows that both sides read, as `train`, `validation` and `test.jsonl`.

    Where the test part is missing or has no labels, the validation part is the test set. Where nothing is left to
    validate on, a tenth of the training rows does.

    Args:
        data: holds a folder of this name.
        name: of the task.
        folder: where to.
        cap: rows of each part at most, drawn at random; None takes all.

    Returns:
        The number of rows of each part.
    """
    task = TASKS[name]
    parts = {part: read(data / name / f"{part}.jsonl") for part in PARTS}
    parts = {part: [row for row in rows if row[task.label] not in (-1, "-1", None)] for part, rows in parts.items()}
    if not parts["test"]:
        parts["test"], parts["validation"] = parts["validation"], []
    if parts["train"] and not parts["validation"]:
        parts["train"], parts["validation"] = hold_out(parts["train"], task.group)
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        if not rows:
            raise SystemExit(f"error: {data / name} has no labeled rows for its {part} part.")
        if cap is not None and len(rows) > cap:
            rows = parts[part] = random.Random(SEED).sample(rows, cap)
        written = "".join(json.dumps(as_read(task, row), ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{part}.jsonl").write_text(written, encoding="utf-8")
    return {part: len(rows) for part, rows in parts.items()}


def as_read(task: Task, row: Row) -> Row:
    """A row as both sides get it: the columns that count, and labels as integers, numbers or the names of tags."""
    kept = {name: row[name] for name in task.columns}
    label = row[task.label]
    if task.kind == "tokens":
        return {**kept, "tags": [tag if isinstance(tag, str) else ENTITIES[tag] for tag in label]}
    if task.kind == "questions":
        return {**kept, "answers": label}
    return {**kept, "label": float(label) if task.kind == "regression" else int(label)}


def hold_out(rows: list[Row], group: str | None) -> tuple[list[Row], list[Row]]:
    """Training and validation rows: a tenth of the rows, or of the groups they form, validates."""
    keys = [row[group] if group else number for number, row in enumerate(rows)]
    unique = list(dict.fromkeys(keys))
    held = set(random.Random(SEED).sample(unique, max(1, round(len(unique) / 10))))
    return (
        [row for key, row in zip(keys, rows, strict=True) if key not in held],
        [row for key, row in zip(keys, rows, strict=True) if key in held],
    )


def read(path: Path) -> list[Row]:
    """The rows of a jsonl file; none if there is no such file."""
    if not path.is_file():
        return []
    # Not splitlines(): texts may hold line separators of other alphabets.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
