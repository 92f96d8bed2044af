"""Corrections are rows that `fit` takes, whole and marked where they come twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.demo.corrections import Corrections
from pretune.cli.demo.load import Model
from pretune.cli.demo.sources import arguments
from pretune.errors import InputError

pytest.importorskip("gradio")


def read(path: str = "corrections.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_lines_are_whole_whoever_writes() -> None:
    files = [Corrections("corrections.jsonl") for _ in range(4)]

    def write(file: Corrections, start: int) -> None:
        for number in range(start, start + 25):
            file.add({"text": f"{number} 好 " * 50, "label": "x"}, ["text"])

    threads = [threading.Thread(target=write, args=(file, 100 * i)) for i, file in enumerate(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(row["text"].split()[0]) for row in read()) == [100 * i + n for i in range(4) for n in range(25)]


def test_what_was_corrected_before_is_marked() -> None:
    file = Corrections("corrections.jsonl")
    Path("corrections.jsonl").write_text('{"text": "a", "label": "x"}')  # without a line feed, as editors may leave it
    assert "line 2" in file.add({"text": "b", "label": "x"}, ["text"])
    said = file.add({"text": "a", "label": "y"}, ["text"])
    assert "before, in line 1" in said
    assert read() == [
        {"text": "a", "label": "x"},
        {"text": "b", "label": "x"},
        {"text": "a", "label": "y", "duplicate_of": 1},
    ]


@pytest.mark.parametrize("path", ["corrections.csv", "nowhere/corrections.jsonl"])
def test_refuses_what_cannot_be_written(path: str) -> None:
    with pytest.raises(InputError, match=r"corrections\.jsonl would work|cannot be written"):
        Corrections(path)


RIGHT: dict[str, Any] = {
    "labels": lambda prediction, fields: "good" if prediction["prediction"] == "bad" else "bad",
    "several": lambda prediction, fields: ["a"] if prediction["prediction"] != ["a"] else ["a", "b"],
    "numbers": lambda prediction, fields: 2.5,
    "entities": lambda prediction, fields: [("a ", None), ("film", "X"), (" ends", None)],
    "spans": lambda prediction, fields: [("a ", None), ("film", "X"), (" ends", None)],
    "answers": lambda prediction, fields: " ".join(fields["context"].split()[-3:]),
    "choices": lambda prediction, fields: 2 - prediction["prediction"],
    "masks": lambda prediction, fields: "a film is good",
    "beginnings": lambda prediction, fields: "a film is good",
    "sources": lambda prediction, fields: "a film",
    "chat": lambda prediction, fields: "a film",
}
COLUMNS = {
    "labels": {"review", "stars"},
    "several": {"text", "labels"},
    "numbers": {"text", "score"},
    "entities": {"tokens", "ner_tags"},
    "spans": {"text", "entities"},
    "answers": {"context", "question", "answers", "id"},
    "choices": {"context", "endings", "label"},
    "masks": {"text"},
    "beginnings": {"text"},
    "sources": {"source", "target"},
    "chat": {"instruction", "output"},
}


@pytest.mark.parametrize("name", COLUMNS)
def test_fit_takes_them(name: str, trained: Callable[[str], str], run: Callable[..., Any]) -> None:
    place = trained(name)
    model = Model(arguments(place, ["--trainer.accelerator=cpu"]), name)
    fields = model.task.fields(next(model.task.example_rows("train")))
    *_, prediction = model.answer(fields)
    right = RIGHT[name](prediction, fields)
    file = Corrections("corrections.jsonl")
    for _ in range(2):
        file.add(model.task.corrected(fields, prediction, right), list(model.task.row(fields)))
    first, second = read()
    assert first.keys() == COLUMNS[name]
    assert second == {**first, "duplicate_of": 1, **({"id": second["id"]} if "id" in first else {})}
    assert name != "answers" or first["id"] != second["id"]
    if name == "entities":
        assert first == {"tokens": ["a", "film", "ends"], "ner_tags": ["O", "B-X", "O"]}
    cli = run(
        "fit", f"--config={place}/config.yaml", "--data.train_files=[rows.jsonl, corrections.jsonl]",
        "--trainer.max_steps=1", "--data.validation_files=rows.jsonl", "--name=again",
    )  # fmt: skip
    counts = cli.datamodule.counts["train"]["documents"] if name in ("masks", "beginnings") else None
    assert (counts or len(cli.datamodule.examples("train"))) == (82 if counts else 42)


def test_an_answer_must_stand_in_its_context(trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained("answers"), ["--trainer.accelerator=cpu"]), "answers")
    fields = {"context": "a film", "question": "what"}
    with pytest.raises(InputError, match="does not stand in the context"):
        model.task.corrected(fields, {"prediction": "film"}, "book")
    with pytest.raises(InputError, match="what was answered"):
        model.task.corrected(fields, {"prediction": "film"}, "film")
