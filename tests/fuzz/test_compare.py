"""Predictions, configurations and exports that `compare` reads: edited, cut, of other shapes."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import PREDICTIONS, as_csv
from fuzz_mutations import as_json, as_lines, changed, damaged
from fuzzing import explore
from hypothesis import strategies as st

CONFIG = b"model: {class_path: X}\ndata:\n  init_args:\n    label_names: {0: bad, 1: good}\n"
EXPORTED: dict[str, Any] = {"id2label": {"0": "bad", "1": "good"}, "model_type": "bert"}
METRICS = [None, None, "accuracy", "f1", "mcc", "pearson", "spearman", "mse", "entity_f1", "tag_accuracy", "micro_f1"]
METRICS += ["exact_match", "answer_f1"]


def compare(child: Child, mine: dict[str, bytes], theirs: dict[str, bytes], metric: str | None) -> None:
    files = {f"a/{name}": content for name, content in mine.items()}
    files |= {f"b/{name}": content for name, content in theirs.items()}
    args = ["compare", "a", "b", "--resamples=20", *([f"--metric={metric}"] if metric else [])]
    usable(child, "command", files, args=args)


@pytest.mark.parametrize("task", list(PREDICTIONS))
def test_other_rows(task: str, child: Child) -> None:
    """What the label, the input and the predictions are is changed, in both or in one."""
    rows = PREDICTIONS[task]
    ways = st.tuples(changed(rows), st.booleans(), st.sampled_from(METRICS))

    def check(way: tuple[Any, bool, str | None]) -> None:
        lines = {"predictions.jsonl": as_lines(way[0])}
        compare(child, lines, lines if way[1] else {"predictions.jsonl": as_lines(rows)}, way[2])

    explore(ways, check, 60)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("task", ["classes", "questions"])
def test_damaged_predictions(task: str, kind: str, child: Child) -> None:
    whole = (as_lines if kind == "jsonl" else as_csv)(PREDICTIONS[task])
    name = f"predictions.{kind}"
    ways = st.tuples(damaged(whole), st.booleans())
    explore(ways, lambda way: compare(child, {name: way[0]}, {name: way[0] if way[1] else whole}, None), 60)


def test_damaged_records(child: Child) -> None:
    lines = {"predictions.jsonl": as_lines(PREDICTIONS["classes"])}
    exports = changed(EXPORTED).map(as_json) | damaged(as_json(EXPORTED))
    ways = st.tuples(damaged(CONFIG), st.just(None)) | st.tuples(st.none(), exports)

    def check(way: tuple[bytes | None, bytes | None]) -> None:
        names = ("config.yaml", "export/config.json")
        found = {name: content for name, content in zip(names, way, strict=True) if content is not None}
        compare(child, {**lines, **found}, lines, None)

    explore(ways, check, 60)
