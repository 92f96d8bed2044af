"""Files of predictions are read back as they were written."""

from __future__ import annotations

import os
from pathlib import Path

from pretune.cli.callbacks.prediction_files import JsonLines, Table
from pretune.cli.commands.prediction_tables import read_predictions, same, written_by

ROWS = [{"text": "=1+1\x1b[31m", "tags": ["-", "b"]}, {"text": "- a", "tags": []}]
FOUND = [{"prediction": "+"}, {"prediction": "-x", "correct": True}]


def test_both_formats_hold_the_same_rows(tmp_path: Path) -> None:
    read = []
    for writer, name in ((JsonLines(), "predictions.jsonl"), (Table(), "predictions.csv")):
        text = writer.begin(["text", "tags"], {"prediction": "", "correct": None}, True)
        text += "".join(writer.row(given, found) for given, found in zip(ROWS, FOUND, strict=True))
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        read.append(read_predictions(tmp_path / name))
    lines, table = read
    same(lines, table, tmp_path, tmp_path)
    assert [row["prediction"] for row in table] == [row["prediction"] for row in lines] == ["+", "-x"]
    assert table[1]["text"] == "- a"
    assert table[0]["tags"] == ["-", "b"]


def test_the_newest_file_counts(tmp_path: Path) -> None:
    for age, name in enumerate(
        ("predictions-10.jsonl", "predictions-2.csv", "predictions.jsonl", "predictions-old.csv")
    ):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "predictions-11.jsonl.part").write_text("")
    assert written_by(tmp_path) == tmp_path / "predictions-10.jsonl"
