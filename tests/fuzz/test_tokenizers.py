"""Tokenizer folders that somebody has edited, or a download has cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_mutations import as_json, changed, damaged
from fuzzing import explore


@pytest.fixture(scope="module")
def files(tokenizer_folder: Path) -> dict[str, bytes]:
    return {f"tokenizer/{path.name}": path.read_bytes() for path in tokenizer_folder.iterdir() if path.is_file()}


NAMES = ("tokenizer.json", "tokenizer_config.json")


@pytest.mark.parametrize("name", NAMES)
def test_damaged(name: str, files: dict[str, bytes], child: Child) -> None:
    place = f"tokenizer/{name}"
    explore(damaged(files[place]), lambda way: usable(child, "load_tokenizer", {**files, place: way}), 60)


@pytest.mark.parametrize("name", NAMES)
def test_edited(name: str, files: dict[str, bytes], child: Child) -> None:
    place = f"tokenizer/{name}"
    content: dict[str, Any] = json.loads(files[place])
    if name == "tokenizer.json":  # the words are most of it, and the least of what can go wrong
        content["model"]["vocab"] = dict(list(content["model"]["vocab"].items())[:20])
    ways = changed(content).map(as_json)
    explore(ways, lambda way: usable(child, "load_tokenizer", {**files, place: way}), 100)
