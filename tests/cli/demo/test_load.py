"""What a page answers is what `predict` writes of the same row, for every task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.demo.assemble import view_of
from pretune.cli.demo.examples import examples
from pretune.cli.demo.load import Model
from pretune.cli.demo.sources import arguments
from pretune.errors import InputError

pytest.importorskip("gradio")

TASKS = (
    "labels", "several", "numbers", "pairs", "entities", "spans", "answers", "choices", "masks", "beginnings",
    "sources", "chat",
)  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_is_what_predict_writes(name: str, trained: Callable[[str], str], run: Callable[..., Any]) -> None:
    place = trained(name)
    model = Model(arguments(place, ["--trainer.accelerator=cpu"]), name)
    found, named = examples(model.task)
    assert len(found) == 5
    assert named == ("Examples from the test set" if name == "labels" else "Examples from training")
    fields = found[2]
    *parts, answer = model.answer(fields)
    view = view_of(model)
    json.dumps(model.task.settings())  # a saved page keeps them
    values = view.values(fields)
    assert view.ask(values, [[]]) == {**view.ask(values, [[]]), **fields}  # what an example fills in is itself
    assert len(view.show(fields, answer, [[]])) >= 1
    assert model.task.row(fields)
    Path("one.jsonl").write_text(json.dumps(model.task.row(fields)) + "\n")
    run("predict", f"--config={place}/config.yaml", "--data.predict_files=one.jsonl", "--predictions_file=out.jsonl")
    written = json.loads(Path("out.jsonl").read_text())
    assert {**written, **answer}.keys() >= {"prediction"}
    for key in written.keys() & answer.keys() - {"text"}:
        assert (
            written[key] == pytest.approx(answer[key])
            if isinstance(written[key], float)
            else close(written[key], answer[key])
        )
    if name in ("beginnings", "sources", "chat"):
        assert parts or not answer["prediction"]  # while it is written
        assert not parts or answer["prediction"].startswith(parts[-1]["prediction"].strip()[:5])
    else:
        assert not parts


@pytest.mark.parametrize("name", ["entities", "spans", "labels"])
def test_an_empty_text_is_called_so(name: str, trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained(name), ["--trainer.accelerator=cpu"]), name)
    for text in ("", "  ", None):
        with pytest.raises(InputError, match=r"text .*is (empty|'  ')"):
            list(model.answer({"text": text}))


def test_a_text_that_is_too_long_for_a_model_of_masks(trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained("masks"), ["--trainer.accelerator=cpu"]), "masks")
    (answer,) = model.answer({"text": "[MASK] film ends " + "the film ends " * 60 + "a [MASK]"})
    assert len(answer["masks"]) == 2
    assert "[MASK]" not in answer["prediction"]


def test_nothing_begins_a_document(trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained("beginnings"), ["--trainer.accelerator=cpu"]), "beginnings")
    assert isinstance(list(model.answer({"text": ""}))[-1]["prediction"], str)


def close(one: Any, other: Any) -> bool:
    """Whether plain data are the same, up to how numbers are rounded."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    return one == pytest.approx(other, abs=1e-5) if isinstance(one, float) else one == other
