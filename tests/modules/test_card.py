"""The card of an export."""

from __future__ import annotations

import importlib.metadata

import pytest

from pretune.modules.card import _version


def test_a_card_is_written_from_a_folder_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not installed, a training must not end without its export."""

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert _version() == "(not installed)"
