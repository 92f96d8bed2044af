"""The models of ready configurations as repositories of the Hub: of their architecture, tiny and untrained."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from public_sets import CHINESE
from reading_server import Commit, Repo  # type: ignore[import-not-found]
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from tests_support import sentence

MODELS = {
    "google-bert/bert-base-uncased": ("bert", "AutoModelForMaskedLM", "wordpiece"),
    "google-bert/bert-base-cased": ("bert", "AutoModelForMaskedLM", "wordpiece"),
    "google-bert/bert-base-chinese": ("bert", "AutoModelForMaskedLM", "wordpiece"),
    "google/electra-small-discriminator": ("electra", "AutoModelForPreTraining", "wordpiece"),
    "answerdotai/ModernBERT-base": ("modernbert", "AutoModelForMaskedLM", "bytelevel"),
    "FacebookAI/roberta-base": ("roberta", "AutoModelForMaskedLM", "bytelevel"),
    "FacebookAI/xlm-roberta-base": ("xlm-roberta", "AutoModelForMaskedLM", "unigram"),
    "facebook/bart-base": ("bart", "AutoModelForSeq2SeqLM", "bytelevel"),
    "google-t5/t5-small": ("t5", "AutoModelForSeq2SeqLM", "unigram"),
    "openai-community/gpt2": ("gpt2", "AutoModelForCausalLM", "bytelevel"),
    "Qwen/Qwen3-0.6B-Base": ("qwen3", "AutoModelForCausalLM", "bytelevel"),
    "meta-llama/Llama-3.2-1B": ("llama", "AutoModelForCausalLM", "bytelevel"),
}
"""Ids, with architecture, head and kind of tokenizer."""
RENAMED = {f"bert-base-{kind}": f"google-bert/bert-base-{kind}" for kind in ("uncased", "cased", "chinese")}
"""Names from before there were owners, which the Hub redirects."""


def add_models(repos: dict[str, Repo], ids: Iterable[str]) -> None:
    """Put models onto a server, each under its older name, too; what is there stays as it is."""
    for name in ids:
        if name not in repos:
            repos[name] = Repo({"main": Commit(dict(model_files(name)))})
    repos |= {old: Repo({}, renamed_to=new) for old, new in RENAMED.items() if new in repos}


@lru_cache
def model_files(name: str, seed: int = 0) -> dict[str, bytes]:
    """Return what lies in a model's repository.

    Args:
        name: its id.
        seed: of its weights.
    """
    from pretune.modules import Backbone

    model_type, auto_class, kind = MODELS[name]
    sizes = {key: value for key, value in BACKBONES[model_type][1].items() if "position" not in key}
    room = {} if model_type in ("t5", "gpt2") else {"max_position_embeddings": 514}
    torch.manual_seed(seed)
    backbone = Backbone(config={"model_type": model_type, **sizes, **room})
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = _tokenizer(kind)
        model, _ = backbone.build(auto_class, tokenizer)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        Path(folder, "README.md").write_text("---\nlicense: apache-2.0\nlanguage: en\n---\n# A model\n")
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@lru_cache
def _tokenizer(kind: str) -> Any:
    from pretune.text.tokenizer import load_tokenizer
    from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

    texts = [*map(sentence, range(99)), *CHINESE]
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(TrainTokenizer(kind, 400, min_frequency=1), iter(texts), Path(folder))
        return load_tokenizer(folder)
