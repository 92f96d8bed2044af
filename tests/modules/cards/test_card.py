"""The card of an export."""

from __future__ import annotations

import importlib.metadata
from types import SimpleNamespace
from typing import Any

import pytest

from pretune.modules.cards.card import _taken, _version


def test_a_card_is_written_from_a_folder_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not installed, a training must not end without its export."""

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert _version() == "(not installed)"


@pytest.mark.parametrize(
    ("last", "kept", "words"),
    [(1200, 800, "1,200; the weights are those after step 800"), (800, 800, "800"), (1200, None, "1,200")],
)
def test_a_card_says_which_steps_weights_it_is_of(last: int, kept: int | None, words: str) -> None:
    module: Any = SimpleNamespace(_trainer=SimpleNamespace(global_step=last), kept_step=kept)
    assert _taken(module) == words
