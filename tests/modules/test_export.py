"""What lies in an export beside the weights of the network: a tokenizer, what later runs want, a card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run
from lightning.pytorch import Trainer
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    MaskedLanguageModeling,
    NextSentencePrediction,
    TextClassification,
    TokenClassification,
)
from pretune.text.tokenizer import load_tokenizer

QUIET: dict[str, Any] = {
    "max_steps": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
    "enable_progress_bar": False, "enable_model_summary": False,
}  # fmt: skip


@pytest.fixture
def pretrained(tokenizer: Any, tmp_path: Path, tiny: dict[str, Any]) -> Path:
    """A BERT with a pooler and a head for pairs, as the hub has it."""
    from transformers import BertConfig, BertForPreTraining

    torch.manual_seed(0)
    options = {key: value for key, value in tiny.items() if key != "model_type"}
    BertForPreTraining(BertConfig(vocab_size=256, **options)).save_pretrained(tmp_path / "pretrained")
    tokenizer.save_pretrained(tmp_path / "pretrained")
    return tmp_path / "pretrained"


def built(module: Any, tokenizer: Any) -> Any:
    module.tokenizer = tokenizer
    module.build()
    return module


def own_loader() -> DataLoader[Any]:
    rows = [{"input_ids": torch.arange(5, 13), "labels": torch.tensor(i % 2)} for i in range(8)]
    return DataLoader(rows, batch_size=4)  # type: ignore[arg-type]


def test_the_pooler_survives_masked_modeling(pretrained: Path, corpus: Path, tokenizer: Any) -> None:
    """In the export, in the checkpoint, and where a resumed run exports again; with the head for pairs."""
    old = load_file(pretrained / "model.safetensors")
    kept = {name for name in old if "pooler" in name or "seq_relationship" in name}
    args = [
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={pretrained}", "--data=CorpusDataModule",
        f"--data.train_files={corpus}", "--data.block_size=32", "--trainer.precision=32-true", "--name=further",
        "--trainer.val_check_interval=1",
    ]  # fmt: skip
    folder = run(*args, "--trainer.max_steps=2").run.folder
    moved = load_file(folder / "export/model.safetensors")
    assert len(kept) == 4
    assert all(torch.equal(moved[name], old[name]) for name in kept)
    name = "bert.encoder.layer.0.output.dense.weight"
    assert not torch.equal(moved[name], old[name])
    for place in (folder, folder / "checkpoints/best.ckpt"):
        task = built(TextClassification(str(place), labels=["a", "b"]), tokenizer)
        assert torch.equal(task.model.bert.pooler.dense.weight, old["bert.pooler.dense.weight"])
        pairs = built(NextSentencePrediction(str(place)), tokenizer)
        assert torch.equal(pairs.model.cls.seq_relationship.weight, old["cls.seq_relationship.weight"])
        assert not pairs.weight_report.new
    shutil.rmtree(folder / "export")
    run(*args, "--trainer.max_steps=3", "--ckpt_path=last")
    again = load_file(folder / "export/model.safetensors")
    assert all(torch.equal(again[name], old[name]) for name in kept)


def test_what_is_kept_is_told_and_the_language_head_is_not_kept(pretrained: Path, tokenizer: Any) -> None:
    task = built(TokenClassification(str(pretrained), labels=["O", "B-x"]), tokenizer)
    report = str(task.weight_report)
    assert "kept for later runs: bert.pooler.dense.weight" in report.replace("bias, bert.pooler.dense.weight", "weight")
    assert any(name.startswith("cls.predictions") for name in task.weight_report.unused)
    task.save_pretrained("out")
    assert not any("predictions" in name for name in load_file("out/model.safetensors"))
    assert "bert.pooler.dense.weight" in load_file("out/model.safetensors")


def test_a_pooler_of_a_body_alone_survives_too(tokenizer: Any, tmp_path: Path, tiny: dict[str, Any]) -> None:
    """Files of a body have no prefix before their names."""
    from transformers import BertConfig, BertModel

    options = {key: value for key, value in tiny.items() if key != "model_type"}
    body = BertModel(BertConfig(vocab_size=256, **options))
    body.save_pretrained(tmp_path / "body", max_shard_size="20KB")  # in several files
    assert (tmp_path / "body/model.safetensors.index.json").exists()
    module = built(MaskedLanguageModeling(str(tmp_path / "body")), tokenizer)
    module.save_pretrained("out")
    task = built(TextClassification("out", labels=["a", "b"]), tokenizer)
    assert torch.equal(task.model.bert.pooler.dense.weight, body.pooler.dense.weight)


def test_with_a_loader_of_ones_own_the_backbones_tokenizer_is_exported(encoder: Path) -> None:
    module = TextClassification(str(encoder), labels=["neg", "pos"])
    Trainer(**QUIET).fit(module, own_loader())
    module.save_pretrained("out")
    assert len(load_tokenizer("out")) == len(load_tokenizer(str(encoder)))
    assert 'pipeline("text-classification"' in Path("out/README.md").read_text()  # which loads it


@pytest.mark.parametrize("weights", [True, False])
def test_an_export_without_a_tokenizer_says_so(weights: bool, encoder: Path, tiny: dict[str, Any]) -> None:
    backbone = Backbone(config={**tiny, "vocab_size": 256})
    if weights:
        for file in encoder.glob("tokenizer*"):
            file.unlink()
        backbone = Backbone(str(encoder))
    module = TextClassification(backbone, labels=["neg", "pos"])
    Trainer(**QUIET).fit(module, own_loader())
    with pytest.warns(UserWarning, match=r"There is no tokenizer in out.*tokenizer.save_pretrained\('out'\)"):
        module.save_pretrained("out")
    card = Path("out/README.md").read_text()
    assert "pipeline(" not in card
    assert "AutoTokenizer" not in card
    assert "model = AutoModelForSequenceClassification.from_pretrained(" in card


@pytest.mark.parametrize("family", ["bert", "gpt2", "roberta", "t5"])
def test_a_tokenizer_that_transformers_makes_up_is_not_taken(family: str, tmp_path: Path) -> None:
    from transformers import AutoConfig

    AutoConfig.for_model(family).save_pretrained(tmp_path / "bare")
    with pytest.raises(InputError, match="holds no tokenizer: put its files beside the weights"):
        load_tokenizer(str(tmp_path / "bare"))


def test_a_card_of_many_files_and_labels_is_short(tokenizer: Any, tmp_path: Path, tiny: dict[str, Any]) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(300):
        (folder / f"part{i:04}.csv").write_text(f"text,label\na text {i},label {i % 50}\n")
    tokenizer.save_pretrained(tmp_path / "tok")
    config = ", ".join(f"{key}: {value}" for key, value in tiny.items())
    cli = run(
        "fit", "--model=TextClassification", f"--model.backbone={{config: {{{config}}}}}",
        "--data=TextClassificationDataModule", f"--data.tokenizer={tmp_path}/tok",
        f"--data.train_files={folder.resolve()}/*.csv",
        "--trainer.max_steps=1", "--trainer.precision=32-true",
    )  # fmt: skip
    card = (cli.run.folder / "export/README.md").read_text()
    settings = (cli.run.folder / "export/config.json").read_text()
    assert "part0002.csv and 297 more files" in card
    assert "| and 30 more |" in card
    assert len(card) < 6000
    assert len(settings) < 12_000
    assert str(tmp_path) not in card + settings
