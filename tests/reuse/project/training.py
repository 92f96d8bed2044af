"""Trains and keeps checkpoints, for another process to use; the first of two scripts."""

from __future__ import annotations

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from material import trainer

from pretune.datamodules import TextClassificationDataModule
from pretune.modules import TextClassification

SCRATCH = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "intermediate_size": 32}  # fmt: skip
FILES = {"train_files": "reviews.csv", "validation_files": "held_out.csv", "predict_files": "held_out.csv"}


def kept(name: str, module: TextClassification, data: TextClassificationDataModule) -> None:
    run = trainer(max_epochs=6, enable_checkpointing=True, callbacks=[ModelCheckpoint("kept", filename=name)])
    run.fit(module, data)
    rows = [row for part in run.predict(module, data) for row in part]  # type: ignore[union-attr]
    scores = run.validate(module, data, verbose=False)[0]
    torch.save({"rows": rows, "scores": scores}, f"kept/{name}.pt")


if __name__ == "__main__":
    torch.manual_seed(0)
    kept("named", TextClassification("bert", learning_rate=1e-2), TextClassificationDataModule(**FILES))
    spelled = {"train": "wordpiece", "vocab_size": 80}
    scratch = TextClassificationDataModule(**FILES, tokenizer=spelled)
    # In an order that no sorting gives.
    kept("scratch", TextClassification({"config": SCRATCH}, labels=["pos", "neg"], learning_rate=1e-2), scratch)
