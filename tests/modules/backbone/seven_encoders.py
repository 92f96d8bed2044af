"""Seven families of encoders, tiny and from scratch."""

from __future__ import annotations

from typing import Any

import torch

CLASSIFIER = "AutoModelForSequenceClassification"


SEVEN = {
    "bert": {},
    "roberta": {},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "deberta-v2": {},
    "modernbert": {"num_hidden_layers": 3},
}


def config(model_type: str) -> dict[str, Any]:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    special = SEVEN.get(model_type, {})
    return {"model_type": model_type, **(special if model_type == "distilbert" else {**sizes, **special})}


def inputs() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (3, 12), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
