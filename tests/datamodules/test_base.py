"""How many processes make batches, where nobody says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pretune.datamodules import CorpusDataModule, TextClassificationDataModule, base


@pytest.mark.parametrize(
    ("device", "cores", "gpus", "given", "expected"),
    [
        ("cpu", 16, 1, None, 0),  # they compute
        ("cpu", 16, 1, 2, 2),
        ("cuda", 16, 1, None, 4),
        ("cuda", 16, 1, 0, 0),
        ("cuda", 16, 8, None, 1),
        ("cuda", 2, 1, None, 1),
        ("cuda", 1, 1, None, 0),
    ],
)
def test_workers(
    device: str, cores: int, gpus: int, given: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "cores", lambda: cores)
    data: Any = TextClassificationDataModule("a.csv", num_workers=given)
    corpus: Any = CorpusDataModule("a.txt", num_workers=given)
    assert data.workers() == (given or 0)
    data.trainer = corpus.trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device(device)), num_devices=gpus
    )
    assert data.workers() == expected
    assert corpus.workers() == (given or 0)  # a thread is faster there
