"""Scores and predictions of the device are the CPU's, of the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_support import ACCELERATOR, NULL, some
from test_configs import ALSO, CONFIGS, OWN_FILES, SHORT, docs, hub, world  # type: ignore[import-not-found] # noqa: F401

ALL = [*OWN_FILES, *(f"pretrain/{name}.yaml" for name in ("masked", "causal", "replaced_token", "span_denoising"))]


def close(found: Any, expected: Any, place: str = "") -> None:
    """Numbers to rounding, all else exactly."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, value in expected.items():
            close(found[key], value, f"{place}.{key}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5), place
    else:
        assert found == expected, place


@pytest.mark.parametrize("name", some(ALL, ["finetune/sentiment.yaml"]))
def test_scores_and_predictions(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:  # noqa: F811
    usual = ("--config", str(CONFIGS / name), *SHORT, *ALSO.get(name, ()), "--trainer.precision=32-true")
    folder = run("fit", *usual, "--trainer.num_sanity_val_steps=0", accelerator="cpu").run.folder
    tested, _, asked = OWN_FILES.get(name, (None, None, None))
    found = []
    for accelerator in ("cpu", ACCELERATOR):
        verb, more = ("test", [tested]) if tested else ("validate", [])
        scores = run(verb, *usual, *more, accelerator=accelerator).trainer.callback_metrics
        rows: list[dict[str, Any]] = []
        if asked:
            run("predict", *usual, asked, accelerator=accelerator)
            rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        found.append(({key: float(value) for key, value in scores.items()}, rows))
    (expected, their_rows), (mine, my_rows) = found
    assert expected
    assert len(my_rows) == len(their_rows)
    if not NULL:
        close(mine, expected)
        for number, pair in enumerate(zip(my_rows, their_rows, strict=True)):
            close(*pair, place=f"row {number}")
