"""Two processes of Fabric, without a Trainer; each runs this script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from checks import check, run
from lightning.fabric import Fabric
from material import batch

from pretune.datamodules import TextClassificationDataModule
from pretune.errors import InputError
from pretune.modules import MaskedLanguageModeling, TextClassification

os.environ.update(GLOO_SOCKET_IFNAME="lo", MASTER_ADDR="127.0.0.1")
FABRIC = Fabric(accelerator="cpu", devices=2, strategy="ddp")
DATA = TextClassificationDataModule(train_files="reviews.csv", validation_files="held_out.csv", tokenizer="bert",
                                    batch_size=4)  # fmt: skip


def seen(loader: Any) -> list[str]:
    return [str([i for i in row if i]) for rows in loader for row in rows["input_ids"].tolist()]


def of_all(mine: list[str]) -> list[list[str]]:
    found: list[Any] = [None, None]
    torch.distributed.all_gather_object(found, mine)
    return found


@check
def examples_are_shared_out() -> None:
    for name, loader, rows in (("train", DATA.train_dataloader(), 60), ("held out", DATA.val_dataloader(), 20)):
        first, second = of_all(seen(FABRIC.setup_dataloaders(loader)))
        assert not set(first) & set(second), name
        assert len(first) == len(second) == rows // 2, name
    loader = FABRIC.setup_dataloaders(DATA.train_dataloader())
    assert seen(loader) != seen(loader)  # Fabric counts the epochs


@check
def a_share_that_was_asked_for() -> None:
    data = TextClassificationDataModule(train_files="reviews.csv", tokenizer="bert", validation_fraction=0.0)
    data.take_share(0, 1)
    data.setup("fit")
    assert len(seen(data.train_dataloader())) == 60


@check
def a_loader_made_too_early() -> None:
    with pytest.raises(InputError, match="after the processes are started"):
        next(iter(EARLY))


@check
def the_gradient_is_that_of_one_process() -> None:
    """Of unequal batches: three rows here, eight there."""
    parts = batch(0, 3), batch(1, 8)
    torch.manual_seed(0)
    module = TextClassification("bert", labels=["neg", "pos"])
    module.build()
    wrapped, optimizer = FABRIC.setup(module, torch.optim.SGD(module.parameters(), lr=0.1))
    loss = wrapped.training_step(parts[FABRIC.global_rank], 0)
    FABRIC.backward(loss)
    plain = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    torch.manual_seed(0)
    alone = TextClassification("bert", labels=["neg", "pos"])
    alone.build()
    alone.training_step(plain, 0).backward()
    expected = dict(alone.model.named_parameters())
    for name, p in module.model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, expected[name].grad, rtol=1e-4, atol=1e-6)
    optimizer.step()


@check
def masks_change() -> None:
    module = MaskedLanguageModeling("bert")
    module.build()
    wrapped = FABRIC.setup(module)
    rows = batch(labels=False)
    assert len({float(wrapped.training_step(rows, 0)) for _ in range(4)}) == 4


if __name__ == "__main__":
    DATA.prepare_data()
    DATA.setup("fit")
    EARLY = DATA.train_dataloader()
    FABRIC.launch()
    run(f"ranks{FABRIC.global_rank}.json")
    Path(f"rank{FABRIC.global_rank}.done").touch()
