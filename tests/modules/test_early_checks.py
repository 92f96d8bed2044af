"""What cannot come to a good end is said before anything is read: here, reading is an error of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.states import TrainerFn

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.main import main
from pretune.modules import Backbone, MaskedLanguageModeling, NextSentencePrediction, TextClassification
from pretune.modules.backbone.skeleton import try_out
from pretune.modules.early_checks import check_early
from pretune.modules.early_monitors import check_monitors
from pretune.modules.strategies import FullySharded
from pretune.text import readers

GPT = {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}


class WasRead(Exception):
    """A text was read."""


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a text hears of it."""

    def read(*args: Any, **options: Any) -> Any:
        raise WasRead

    monkeypatch.setattr(readers, "read_documents", read)
    monkeypatch.setattr(readers, "read_rows", read)


@pytest.fixture
def command(corpus: Path, reviews: Path, tiny: dict[str, Any], encoder: Path, unread: None) -> Callable[..., list[str]]:
    """A training that would read: of a corpus, or of labeled rows."""

    def make(labeled: bool = False, **model: Any) -> list[str]:
        kind, data = ("TextClassification", reviews) if labeled else ("MaskedLanguageModeling", corpus)
        of = "TextClassificationDataModule" if labeled else "CorpusDataModule"
        length = {} if labeled else {"block_size": 32}
        tokenizer = {"train": "wordpiece", "vocab_size": 200}
        config = {
            "model": {"class_path": kind, "init_args": {"backbone": {"config": tiny}, **model}},
            "data": {"class_path": of, "init_args": {"train_files": str(data), "tokenizer": tokenizer} | length},
            "trainer": {"accelerator": "cpu", "max_steps": 2},
        }
        Path("early.yaml").write_text(json.dumps(config))
        return ["fit", "--config", "early.yaml"]

    return make


def test_a_good_one_reads(command: Callable[..., list[str]]) -> None:
    for labeled in (False, True):
        with pytest.raises(WasRead):
            main(command(labeled))


BACKBONES: list[tuple[dict[str, Any] | str, str]] = [
    ({"config": {"model_type": "brt"}}, "Unknown model_type 'brt' in backbone.config (did you mean bert"),
    ({"config": {"model_type": "bert", "hidden": 8}}, "no field 'hidden'"),
    ({"config": {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 5}}, "does not make a bert"),
    ({"config": GPT}, "MaskedLanguageModeling needs an encoder"),
    ("nobody/nothing", "'nobody/nothing' cannot be loaded"),
    ("./nothing", "There is no file or folder ./nothing"),
    ("runs/nothing", "There is no file or folder runs/nothing"),
    ("nothing.ckpt", "There is no file or folder nothing.ckpt"),
    ("bare", "bare holds no weights in the safetensors format"),
    ({"name": "encoder", "freeze": 9}, "backbone.freeze is 9, but the network has 2 layers"),
    ({"name": "encoder", "reinitialize_layers": 9}, "backbone.reinitialize_layers is 9"),
    ({"name": "encoder", "lora": {"r": 2, "target_modules": ["nope"]}}, "backbone.lora"),
    ({"name": "encoder", "attention": "flash_attention_2"}, "backbone.attention is 'flash_attention_2'"),
    ({"name": "encoder", "attention": "nope"}, "sdpa and eager would work"),
]


@pytest.mark.parametrize(("backbone", "words"), BACKBONES)
def test_backbones(
    backbone: Any, words: str, command: Callable[..., list[str]], fails: Callable[..., str], encoder: Path
) -> None:
    Path("bare").mkdir()
    Path("bare/config.json").write_bytes(Path("encoder/config.json").read_bytes())
    assert words in fails(*command(backbone=backbone))


@pytest.mark.parametrize(
    ("kind", "labeled", "words"),
    [
        ("CausalLanguageModeling", False, "CausalLanguageModeling needs a decoder"),
        ("SpanDenoising", False, "SpanDenoising needs an encoder-decoder, such as t5"),
        ("SequenceToSequence", False, "cannot learn from a CorpusDataModule; the data of a SequenceToSequenceData"),
        ("TextClassification", False, "cannot learn from a CorpusDataModule; the data of a TextClassificationData"),
        ("NextSentencePrediction", False, "cannot learn from a CorpusDataModule; the data of a SentencePairDataM"),
        ("NextSentencePrediction", True, "cannot learn from a TextClassificationDataModule"),
    ],
)
def test_objectives(
    kind: str, labeled: bool, words: str, command: Callable[..., list[str]], fails: Callable[..., str]
) -> None:
    args = [*command(labeled), f"--model.class_path={kind}"]
    if kind == "SequenceToSequence":
        t5 = {"model_type": "t5", "d_model": 32, "d_kv": 16, "num_layers": 1, "num_heads": 2}
        args.append(f"--model.backbone.config={json.dumps(t5)}")
    assert words in fails(*args)


@pytest.mark.parametrize(
    ("labeled", "option", "words"),
    [
        (False, "--data.tokenizer=nobody/nothing", "No tokenizer can be loaded from 'nobody/nothing'"),
        (True, "--data.tokenizer=./nothing", "There is no file or folder ./nothing"),
        (False, "--data.block_size=128", "bert (from scratch) takes at most 64 tokens: set data.block_size to at most"),
        (True, "--data.max_length=128", "bert (from scratch) takes at most 64 tokens: set data.max_length to at most"),
        (False, "--data.validation_files=nothing.txt", "There is no file nothing.txt"),
        (False, "--data.test_files=nothing.txt", "There is no file nothing.txt"),
        (True, "--data.validation_files=nothing.csv", "There is no file nothing.csv"),
        (False, "--data.cache_dir=corpus.txt", "The cache corpus.txt cannot be written (Not a directory"),
        (True, "--data.cache_dir=corpus.txt/in", "data.cache_dir (or $PRETUNE_CACHE) to another folder"),
        (False, "--trainer.default_root_dir=corpus.txt", "cannot be written (Not a directory): choose another place"),
        (False, "--trainer.callbacks+=EarlyStoping", "there is no class 'EarlyStoping'"),
        (True, "--model.monitor=val/acuracy", "does not log (did you mean val/accuracy?); it logs: val/accuracy"),
        (True, "--model.monitor=accuracy", "did you mean val/accuracy?"),
        (True, "--model.monitor=val_loss", "did you mean val/loss?"),
        (False, "--model.monitor=val/f1", "it logs: val/accuracy, val/loss, val/perplexity."),
    ],
)
def test_options(
    labeled: bool, option: str, words: str, command: Callable[..., list[str]], fails: Callable[..., str]
) -> None:
    assert words in fails(*command(labeled), option)


@pytest.mark.parametrize("kind", ["lightning.pytorch.callbacks.EarlyStopping", "ModelCheckpoint"])
def test_callbacks_that_go_by_nothing(kind: str, command: Callable[..., list[str]], fails: Callable[..., str]) -> None:
    callback = [{"class_path": kind, "init_args": {"monitor": "val/los"}}]
    message = fails(*command(), f"--trainer.callbacks={json.dumps(callback)}")
    assert f"{kind.rpartition('.')[2]} goes by 'val/los'" in message
    assert "did you mean val/loss?" in message


def test_the_data_of_callbacks(command: Callable[..., list[str]], fails: Callable[..., str]) -> None:
    data = {"class_path": "TextClassificationDataModule", "init_args": {"train_files": "nothing.csv"}}
    callback = [{"class_path": "Probe", "init_args": {"data": data}}]
    assert "There is no file nothing.csv" in fails(*command(), f"--trainer.callbacks={json.dumps(callback)}")


def test_a_training_without_an_end(command: Callable[..., list[str]], fails: Callable[..., str]) -> None:
    endless = ("--trainer.max_steps=-1", "--trainer.max_epochs=-1")
    assert "needs to know how long training lasts" in fails(*command(), *endless)
    with pytest.raises(WasRead):
        main([*command(), *endless, "--model.schedule=constant"])


def test_a_tokenizer_is_asked_before_it_tokenizes(tokenizer: Any, tiny: dict[str, Any], unread: None) -> None:
    """Also where there is no command line."""
    tokenizer.mask_token = None
    data = CorpusDataModule("corpus.txt", block_size=16)
    Path("corpus.txt").write_text("a\n")
    tokenizer.save_pretrained("maskless")
    data.tokenizer_spec = "maskless"
    trainer = Trainer(accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False)
    with pytest.raises(InputError, match="needs a tokenizer with a mask token"):
        trainer.fit(MaskedLanguageModeling(Backbone(config=tiny)), datamodule=data)


def test_what_the_user_logs_is_the_users_business(tiny: dict[str, Any]) -> None:
    class Own(TextClassification):
        """May log anything."""

    class Logs(Callback):
        """So may this."""

    stopping = EarlyStopping("val/mine")
    check_monitors(Own(Backbone(config=tiny), monitor="val/mine"), [stopping])
    module = TextClassification(Backbone(config=tiny), monitor="val/mine", monitor_mode="min")
    check_monitors(module, [Logs(), stopping])
    check_monitors(module, [])  # so it is claimed
    for monitor in ("val/acuracy", "val/accuracy "):
        module = TextClassification(Backbone(config=tiny), monitor=monitor, monitor_mode="max")
        with pytest.raises(InputError, match=r"did you mean val/accuracy"):
            check_monitors(module, [])
        check_monitors(module, [LambdaCallback(on_fit_start=print)])
    module = TextClassification(Backbone(config=tiny), monitor="val/mine")
    with pytest.raises(InputError, match=r"model.monitor_mode: min or max"):
        check_monitors(module, [Logs()])


@pytest.mark.parametrize(
    ("kind", "monitor", "mode", "right"),
    [
        (EarlyStopping, "val/accuracy", "min", "max"),
        (ModelCheckpoint, "val/mlm_accuracy", "min", "max"),
        (ModelCheckpoint, "val/loss", "max", "min"),
        (ModelCheckpoint, "val/loss", "min", None),
        (EarlyStopping, "val/nsp_accuracy", "max", None),
    ],
)
def test_the_wrong_direction_is_warned_of(
    kind: Any, monitor: str, mode: str, right: str | None, tiny: dict[str, Any], recwarn: pytest.WarningsRecorder
) -> None:
    made: Any = TextClassification if monitor == "val/accuracy" else NextSentencePrediction
    check_monitors(made(Backbone(config=tiny)), [kind(monitor=monitor, mode=mode)])
    told = [str(warning.message) for warning in recwarn if "set its mode" in str(warning.message)]
    assert len(told) == (right is not None)
    assert right is None or f"{kind.__name__} takes {monitor} for better when it is " in told[0]
    assert right is None or told[0].endswith(f"set its mode: {right}.")


def test_what_goes_by_trainer_and_backbone(
    command: Callable[..., list[str]], fails: Callable[..., str], encoder: Path
) -> None:
    assert "model.l2_sp leads back to pretrained weights" in fails(*command(), "--model.l2_sp=1")
    with pytest.raises(WasRead):
        main([*command(backbone=str(encoder)), "--model.l2_sp=1"])
    _, *rest = command(backbone=str(encoder))
    rest += ["--model.class_path=ReplacedTokenDetection", "--untrained=true", "--data.predict_files=corpus.txt"]
    assert "ReplacedTokenDetection predicts nothing of its own" in fails("predict", *rest)


def test_a_divided_network(encoder: Path, unread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several devices refuse is refused before they are asked to read."""
    data = CorpusDataModule("corpus.txt", block_size=16)
    Path("corpus.txt").write_text("a\n")
    trainer = Trainer(accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False)
    for strategy, options, words in (
        (FullySharded(), {"optimizer": "muon"}, "model.optimizer: muon cannot be had with a network divided"),
        (DDPStrategy(), {"gradual_unfreezing": 0.5}, "set trainer.strategy: ddp_find_unused_parameters_true"),
    ):
        module: Any = MaskedLanguageModeling(str(encoder), **options)
        monkeypatch.setattr(Trainer, "strategy", strategy)
        monkeypatch.setattr(Trainer, "world_size", 2)
        module.trainer, trainer.state.fn = trainer, TrainerFn.FITTING
        trainer.datamodule = data  # type: ignore[attr-defined]
        with pytest.raises(InputError, match=words):
            check_early(module)


def test_other_names_that_are_logged(tiny: dict[str, Any]) -> None:
    pairs = NextSentencePrediction(Backbone(config=tiny), monitor="val/nsp_accuracy")
    names = ("val/mlm_loss", "val/loss/dataloader_idx_1", "train/loss")
    check_monitors(pairs, [ModelCheckpoint(monitor=name) for name in (*names, "step", "epoch")])
    with pytest.raises(InputError, match="did you mean val/mlm_loss"):
        check_monitors(pairs, [ModelCheckpoint(monitor="val/mlm_los")])
    probe = type("Probes", (Callback,), {"directions": {"probe/mine": "max"}, "__module__": "pretune.x"})()
    check_monitors(MaskedLanguageModeling(Backbone(config=tiny), monitor="probe/mine"), [probe])


def test_a_skeleton_leaves_nothing_behind(tiny: dict[str, Any]) -> None:
    backbone = Backbone(config=tiny, lora={"r": 2}, reinitialize_layers=1)
    state = torch.get_rng_state()
    try_out(backbone, transformers.AutoModelForMaskedLM, backbone.load_config())
    assert torch.equal(state, torch.get_rng_state())
