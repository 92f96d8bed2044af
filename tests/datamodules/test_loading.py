"""How batches are made: by how many processes where nobody says, and whether a thread sends them to a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule

from pretune.datamodules import CorpusDataModule, TextClassificationDataModule, loading


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
    monkeypatch.setattr(loading, "cores", lambda: cores)
    data: Any = TextClassificationDataModule("a.csv", num_workers=given)
    corpus: Any = CorpusDataModule("a.txt", num_workers=given)
    assert data.workers() == (given or 0)
    data.trainer = corpus.trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device(device)), num_devices=gpus
    )
    assert data.workers() == expected
    assert corpus.workers() == (given or 0)  # a thread is faster there


class Before(TextClassificationDataModule):
    """Changes batches before they go to the device."""

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return super().on_before_batch_transfer({**batch, "weight": 1.0}, dataloader_idx)


class Sends(TextClassificationDataModule):
    """Sends them itself."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return super().transfer_batch_to_device(batch, device, dataloader_idx)


class Receives(LightningModule):
    """A module that sends them."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return super().transfer_batch_to_device(batch, device, dataloader_idx)


@pytest.mark.parametrize(
    ("kind", "module", "device", "expected"),
    [
        (TextClassificationDataModule, LightningModule, "cuda:1", True),
        (TextClassificationDataModule, LightningModule, "cpu", False),
        (Before, LightningModule, "cuda:1", False),
        (Sends, LightningModule, "cuda:1", False),
        (TextClassificationDataModule, Receives, "cuda:1", False),
    ],
)
def test_batches_go_ahead_unless_somebody_sends_them(kind: Any, module: Any, device: str, expected: bool) -> None:
    """Hooks of Lightning's for what is done before, and for how, would find them on the device."""
    data, place = kind("a.csv"), torch.device(device)
    data.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=place), lightning_module=module())
    assert data._gpu() == (place if expected else None)
