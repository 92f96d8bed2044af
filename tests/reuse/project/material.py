"""What the foreign project trains on: reviews, a tiny BERT, batches of its own. Made with transformers alone."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.utils.data import DataLoader
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, set_seed

WORDS = ["film", "plot", "song", "cast", "scene", "story", "actor", "end", "a", "the", "of", "very"]
TONE = {"pos": ["fine", "great"], "neg": ["dull", "poor"]}
TINY: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
QUIET: dict[str, Any] = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
    "enable_model_summary": False,
}  # fmt: skip


def make(folder: Path) -> None:
    """Writes reviews.csv, held_out.csv and bert/."""
    draw = random.Random(0)
    for name, rows in (("reviews.csv", 60), ("held_out.csv", 20)):
        with (folder / name).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for i in range(rows):
                label = ("neg", "pos")[i % 2]
                text = [*draw.choices(WORDS, k=3 + i % 5), draw.choice(TONE[label])]
                writer.writerow([f"{' '.join(text)} {name[0]}{i}", label])
    words = sorted({w for n in ("reviews.csv", "held_out.csv") for w in (folder / n).read_text().split()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({w for word in words for w in word.split(",")} | set(TONE["pos"] + TONE["neg"] + WORDS))
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(special + words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=64,
    )  # fmt: skip
    tokenizer.save_pretrained(folder / "bert")
    set_seed(0)
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **TINY)).save_pretrained(folder / "bert")


def batch(seed: int = 0, rows: int = 8, labels: bool = True) -> dict[str, torch.Tensor]:
    """Rows of unequal length, with or without labels that a token tells."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 40, (rows, 9), generator=draw)
    mask = (torch.arange(9) < torch.randint(4, 10, (rows, 1), generator=draw)).long()
    ids = ids * mask
    found = {"input_ids": ids, "attention_mask": mask}
    return {**found, "labels": (ids[:, 1] > 20).long()} if labels else found


def loader(seed: int = 0, batches: int = 3, **options: Any) -> DataLoader[Any]:
    return DataLoader([batch(seed + i, **options) for i in range(batches)], batch_size=None)  # type: ignore[arg-type]


def trainer(**options: Any) -> Trainer:
    return Trainer(**{**QUIET, "max_epochs": 1, **options})
