"""What is done with files that may be anything: each function reads all of them, as some command would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests_support import sentence

TINY = {
    "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 64, "vocab_size": 300,
}  # fmt: skip
HOME = Path()


def prepare(home: Path) -> None:
    """Makes tokenizers and imports, before time and memory are measured."""
    global HOME
    HOME = home
    import torch

    from pretune import datamodules, modules  # noqa: F401
    from pretune.cli import pretune_cli as cli  # noqa: F401
    from pretune.text.tokenizer import load_tokenizer
    from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

    torch.set_num_threads(1)
    texts = [sentence(i, 12) for i in range(99)] + ["### Instruction:\n ### Response:\n"] * 9
    for kind, size in (("wordpiece", 200), ("bytelevel", 300)):
        train_tokenizer(TrainTokenizer(kind, size, min_frequency=1), iter(texts), home / kind)  # type: ignore[arg-type]
    tokenizer: Any = load_tokenizer(str(home / "bytelevel"))
    tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    tokenizer.save_pretrained(home / "bytelevel")


def read_table(name: str, encoding: str = "utf-8") -> None:
    """The rows and columns of a table."""
    from pretune.errors import InputError
    from pretune.text.readers import column_names, read_rows

    try:
        for where, row in read_rows(name, encoding):
            assert isinstance(where, str)
            assert isinstance(row, dict)
            assert all(isinstance(column, str) for column in row), row
    except InputError:
        column_names(name, encoding)
        raise
    column_names(name, encoding)


def read_text(name: str, encoding: str = "utf-8", documents: Any = "line") -> None:
    """The documents of a file."""
    from pretune.text.readers import read_documents

    for text in read_documents(name, documents=documents, encoding=encoding):
        text.encode()


def use_rows(kind: str, name: str, tokenizer: str = "wordpiece", **options: Any) -> None:
    """Batches of a datamodule, to train on, and to predict for."""
    from pretune import datamodules
    from pretune.errors import InputError

    shared = {"tokenizer": str(HOME / tokenizer), "batch_size": 4, "num_workers": 0, "cache_dir": str(HOME / "cache")}
    refused: InputError | None = None
    for verb in ("fit", "predict"):
        if verb == "predict" and kind == "SentencePairDataModule":
            continue
        files = {"predict_files": name} if verb == "predict" else {"train_files": name, "validation_fraction": 0.2}
        try:
            data = getattr(datamodules, kind)(**shared, **files, **options)
            data.prepare_data()
            data.setup(verb)
            loaders = (
                [data.predict_dataloader()] if verb == "predict" else [data.train_dataloader(), data.val_dataloader()]
            )
            for loader in loaders:
                for loaded in loader if isinstance(loader, list) else [loader]:
                    for _ in loaded or ():
                        pass
            data.teardown(verb)
        except InputError as error:
            refused = refused or error
        finally:
            shutil.rmtree(HOME / "cache", ignore_errors=True)
    if refused is not None:
        raise refused


def load_tokenizer(folder: str = "tokenizer") -> None:
    """A tokenizer from a folder, as datamodules use it."""
    from pretune.text import tokenizer as tokenization

    tokenizer: Any = tokenization.load_tokenizer(folder)
    tokenization.special_frame(tokenizer)
    tokenizer(["a good film", ""], return_offsets_mapping=tokenizer.is_fast)
    tokenizer.decode(tokenizer("a good film")["input_ids"])
    tokenization.pack_tokenizer(tokenizer)


def read_checkpoint(name: str = "x.ckpt") -> None:
    """What a checkpoint says of itself."""
    from pretune.checkpoints import stored

    stored(name)


def command(args: list[str]) -> None:
    """A command of the command line."""
    from pretune.main import main

    main(args)


def use_folder(folder: str = "folder") -> None:
    """A data set's folder, as `data.dataset` reads it."""
    from pretune.datamodules.sources import Hub

    source = Hub(folder)
    for split in ("train", "validation", "test"):
        if source.has(split):
            source.key(split)
            source.class_names("label", split)
            assert all(isinstance(row, dict) for _, row in source.rows(split))


def load_backbone(folder: str = "encoder") -> None:
    """A network from a folder."""
    from pretune.modules.backbone.backbone import Backbone

    backbone = Backbone.of(folder)
    backbone.build("AutoModelForSequenceClassification", backbone.load_tokenizer(), head={"num_labels": 2})


def use_words(name: str = "words.txt") -> None:
    """A list of words."""
    from pretune.text.words import WordList, boundaries

    boundaries(WordList(name), "他们说了 one 什么")
