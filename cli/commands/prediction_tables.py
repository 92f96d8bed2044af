"""Predictions, read back from what `predict` wrote: lines of JSON, or a table in which all is text."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...checkpoints import versions
from ...errors import InputError
from ...storage.cells import listed
from ...storage.plain_files import parse_json
from ...text.visible import from_cell, visible
from ..terminal import say

Row = dict[str, Any]
NAME = re.compile(r"predictions(?:-(\d+))?\.(?:jsonl|csv)")
"""Of a file of predictions, with its number from the second one on."""
FORMATS = (".jsonl", ".csv")

MADE = (
    *("prediction", "abstained", "probabilities", "top_k", "score", "n_best", "no_answer_odds", "entities", "words"),
    "correct",
)
"""What `predict` adds to a row."""

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # contexts are longer than the module expects


def predictions(run: str, labels: Sequence[str] = ()) -> list[tuple[Path, list[Row]]]:
    """Return the predictions of a run, or of the newest run of each seed, with their files.

    Args:
        run: a run folder, a folder of seeds, or a file of predictions.
        labels: columns that may hold what is right; of several files the newest that has one of them is read.
    """
    tables = []
    for home in runs_of(run):
        path = home if home.is_file() else labeled_by(home, labels)
        if path is None:
            raise InputError(
                f"{home} has no predictions.jsonl or .csv: run `predict` there with --data.predict_files, on rows with "
                "labels."
            )
        rows = read_predictions(path)
        if not rows:
            raise InputError(f"{path} is empty.")
        tables.append((path, rows))
    return tables


def runs_of(run: str) -> list[Path]:
    """Return the run that is meant by a folder, or the newest run of each seed; a file of predictions as it is.

    Raises:
        InputError: if there is no such folder, or a file is none of predictions.
    """
    root = Path(run)
    if root.is_file():
        if root.suffix not in FORMATS:
            raise InputError(f"{run} is no file of predictions ({' or '.join(FORMATS)}), and no run folder.")
        return [root]
    if not os.path.isdir(root):
        raise InputError(f"There is no run folder {run}.")
    seeds = sorted(root.glob("seed_*[0-9]"))
    return [newest(home) for home in seeds if "_old_" not in home.name] if seeds else [newest(root)]


def newest(home: Path) -> Path:
    """Return the newest version of a run that has predictions, else the newest, else the folder itself."""
    if written_by(home) is not None:
        return home
    known = versions(home)
    able = [version for version in known if written_by(version) is not None]
    return [home, *known, *able][-1]


def same(rows: list[Row], other: list[Row], path: Path, other_path: Path) -> None:
    """Raise an `InputError` unless two sides answered the same rows in the same order."""
    if len(rows) != len(other):
        raise InputError(f"{path} has {len(rows):,} rows, {other_path} {len(other):,}: predict the same file in both.")
    for number, (one, two) in enumerate(zip(rows, other, strict=True)):
        asked, asked_again = ({k: comparable(v) for k, v in row.items() if k not in MADE} for row in (one, two))
        if asked != asked_again:
            names = [k for k in {**asked, **asked_again} if asked.get(k) != asked_again.get(k)]
            raise InputError(
                f"Row {number + 1} differs in {', '.join(names)} between {path} and {other_path}: predict the same "
                "file in both."
            )


def comparable(value: Any) -> str:
    """Return a value as both formats of predictions have it."""
    value = listed(value)
    if value is None:
        return ""
    return visible(json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value))


def written_by(run: Path) -> Path | None:
    """Return the newest file of predictions in a run's folder, if there is any; a file itself."""
    return run if run.is_file() else next(iter(written_files(run)), None)


def labeled_by(run: Path, labels: Sequence[str]) -> Path | None:
    """Return the newest file of predictions that has a label in its first row; the newest where none has."""
    files = written_files(run)
    if len(files) < 2:
        return next(iter(files), None)
    for path in files:
        first = next(_rows(path), {})
        if any(first.get(name) is not None for name in labels):
            if path != files[0]:
                say(visible(f"{files[0]} is passed over: it holds no labels. {path} is the newest that does."))
            return path
    return files[0]


def written_files(run: Path) -> list[Path]:
    """Return a run's files of predictions, the newest first."""
    numbered = [
        (path.stat().st_mtime_ns, int(name[1] or 1), path)
        for path in run.glob("predictions*")
        if (name := NAME.fullmatch(path.name)) and path.is_file()
    ]
    return [path for *_, path in sorted(numbered, reverse=True)]


def read_predictions(path: Path) -> list[Row]:
    """Return the rows of a file of predictions.

    In a table, `probabilities.positive` and the like become objects again, lists are read, and a prediction is a number
    where none has probabilities and every one is written as Python writes a float.

    Args:
        path: `.jsonl` or `.csv`.

    Raises:
        InputError: if it is damaged, or a row has no prediction.
    """
    rows = list(_rows(path))
    if path.suffix == ".jsonl":
        return rows
    if rows and not {"probabilities", "top_k"} & rows[0].keys():
        numbers = [_float(row.get("prediction")) for row in rows]
        if all(value is not None for value in numbers):
            for row, value in zip(rows, numbers, strict=True):
                row["prediction"] = value
    return rows


def _rows(path: Path) -> Iterator[Row]:
    try:
        yield from _lines(path) if path.suffix == ".jsonl" else _table(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is damaged: {error}. Predict again.") from error


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = parse_json(line, f"{path}:{number}")
                yield _whole(f"{path}:{number}", row if isinstance(row, dict) else {})


def _table(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        for fields in filter(None, lines):
            where = f"{path}:{lines.line_num}"
            if len(fields) != len(header):
                found = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
                raise InputError(f"{where}: {found}, but the header has {len(header)}. Predict again.")
            yield _whole(where, _unflattened(dict(zip(header, fields, strict=True))))


def _whole(where: str, row: Row) -> Row:
    if "prediction" not in row:
        raise InputError(f"{where} has no prediction: it is not as `predict` wrote it. Predict again.")
    if row["prediction"] is None:
        row["prediction"] = ""  # as a table has it; no answer is never the right one
    return row


def _unflattened(row: dict[str, str]) -> Row:
    whole: Row = {}
    for column, text in row.items():
        name = from_cell(column)
        outer, dot, inner = name.partition(".")
        if dot and outer in ("probabilities", "answers"):
            part = whole.setdefault(outer, {})
            if isinstance(part, dict):  # and no column of that name alone
                part[inner] = _value(text)
        elif dot and (choice := re.fullmatch(r"top_(\d+)", outer)) and inner in ("label", "probability"):
            choices: list[Any] = whole.setdefault("top_k", [])
            choices += [{} for _ in range(int(choice[1]) - len(choices))]
            choices[int(choice[1]) - 1][inner] = _value(text)
        else:
            whole[name] = _value(text)
    return whole


def _value(cell: str) -> Any:
    """Return what a cell holds; one that was kept from being a formula is a text."""
    text = from_cell(cell)
    return listed(cell) if text == cell else text


def _float(text: Any) -> float | None:
    try:
        return float(text) if isinstance(text, str) and any(c in text for c in ".en") else None
    except ValueError:
        return None
