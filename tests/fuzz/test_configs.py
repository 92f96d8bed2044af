"""Configurations that are cut, edited, of another encoding, or of another shape."""

from __future__ import annotations

import pytest
import yaml
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import CONFIG, CSV
from fuzz_mutations import as_json, changed, damaged, written
from fuzzing import explore

ARGS = ["--trainer.max_steps=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]


def fit(child: Child, content: bytes) -> None:
    usable(child, "command", {"a.csv": CSV.encode(), "x.yaml": content}, args=["fit", "--config=x.yaml", *ARGS])


def test_damaged(child: Child) -> None:
    text = yaml.safe_dump(CONFIG)
    explore(damaged(text.encode()) | written(text), lambda content: fit(child, content), 10)


@pytest.mark.parametrize("part", ["model", "data", "trainer"])
def test_edited(part: str, child: Child) -> None:
    """One part, so that the others do not break it off before."""
    ways = changed(CONFIG[part], most=2).map(lambda value: as_json({**CONFIG, part: value}))
    explore(ways, lambda content: fit(child, content), 10)
