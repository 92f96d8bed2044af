"""What people type: each slip of a command line or a configuration is answered with its cure, in one message."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import pretune
import pretune.datamodules  # of which bare class names are known
from pretune.cli.mistakes.aliases import ALIASES
from pretune.cli.mistakes.known_options import PARTS, KnownOptions, classes, options_of
from pretune.cli.mistakes.slips import find_slip
from pretune.cli.mistakes.suggestions import suggest
from pretune.cli.pretune_cli import PretuneCLI

CONFIGS = Path(pretune.__file__).parent / "configs"
MINE: dict[str, Any] = {
    "model": {"class_path": "TextClassification", "init_args": {"backbone": "a", "learning_rate": 1e-3}},
    "data": {"class_path": "TextClassificationDataModule", "init_args": {"train_files": "t.csv", "batch_size": 4}},
    "trainer": {"max_epochs": 1},
}
Fails = Callable[..., str]


@cache
def parser() -> Any:
    """That of the command line, which takes a second to make."""
    made: list[Any] = []

    def stop(self: Any, parser: Any, args: Any) -> None:
        made.append(parser)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PretuneCLI, "parse_arguments", stop)
        with pytest.raises(KeyboardInterrupt):
            PretuneCLI(["fit"])
    return made[0]


@pytest.fixture
def mine() -> str:
    Path("mine.yaml").write_text(yaml.safe_dump(MINE, sort_keys=False))
    return "mine.yaml"


def slip(*args: str) -> str:
    return find_slip(args, parser()) or ""


def changed(text: str = "", **parts: Any) -> str:
    """The message about a configuration with other parts."""
    Path("changed.yaml").write_text(yaml.safe_dump({**MINE, **parts}, sort_keys=False) + text)
    return slip("fit", "--config", "changed.yaml")


def test_options_that_lack_their_part(mine: str) -> None:
    for given, meant in (
        ("learning_rate", "model.learning_rate"),
        ("learning-rate", "model.learning_rate"),
        ("learning_rte", "model.learning_rate"),
        ("lr", "model.learning_rate"),
        ("model.lr", "model.learning_rate"),
        ("trainer.learning_rate", "model.learning_rate"),
        ("warmup_steps", "model.warmup"),
        ("epochs", "trainer.max_epochs"),
        ("epoches", "trainer.max_epochs"),
        ("model.max_epochs", "trainer.max_epochs"),
        ("data.max_epochs", "trainer.max_epochs"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("trainer.max_ep", "trainer.max_epochs"),
        ("steps", "trainer.max_steps"),
        ("gpus", "trainer.devices"),
        ("fp16", "trainer.precision 16-mixed"),
        ("wandb", "logger wandb"),
        ("bs", "data.batch_size"),
        ("batch_size", "data.batch_size"),
        ("model.batch_size", "data.batch_size"),
        ("max_seq_length", "data.max_length"),
        ("seed", "seed_everything"),
        ("dropout", "model.backbone.dropout"),
        ("model.lora.r", "model.backbone.lora.r"),
        ("model.backbone.droput", "model.backbone.dropout"),
        ("earlystopping.patience", "early_stopping.patience"),
        ("patience", "early_stopping.patience"),
        ("vocab_size", "data.tokenizer.vocab_size"),
        ("resume", "ckpt_path last"),
        ("stop", "stop_after"),
        ("conf", "config"),
        ("datas", "data"),
        ("output_dir", "trainer.default_root_dir"),
    ):
        for args in ([f"--{given}", "1"], [f"--{given}=1"], [f"--{given}"]):
            message = slip("fit", "--config", mine, *args)
            assert f"(did you mean --{meant}" in message, (given, message)
    assert "--" not in slip("fit", "--config", mine, "--model.zzzzz", "1")
    assert "there are: backbone, labels" in slip("fit", "--config", mine, "--model.zzzzz", "1")
    message = slip("fit", "--config", mine, "--data.block_size", "1")
    assert message.startswith("TextClassificationDataModule has no option 'block_size' (CorpusDataModule has it)")


def test_the_same_in_a_configuration() -> None:
    written = "model.learning_rate, which is written model: {init_args: {learning_rate: ...}}"
    for option in ("learning_rate", "lr"):
        message = changed(f"{option}: 1\n")
        assert message.startswith("changed.yaml:13: there is no option")
        assert written in message
    init = {"backbone": "a", "lr": 1}
    assert written in changed(model={"class_path": "TextClassification", "init_args": init})
    init = {"backbone": "a", "max_epochs": 1}
    message = changed(model={"class_path": "TextClassification", "init_args": init})
    assert "changed.yaml:5: TextClassification has no option 'max_epochs'" in message
    assert "trainer.max_epochs, which is written trainer: {max_epochs: ...}" in message
    assert "early_stopping, which is written" in changed(trainer={"early_stopping": {"patience": 1}})
    assert "trainer.max_epochs" in changed(trainer={"max_epoch": 1})
    assert "changed.yaml:13: there is no option pace.epoch" in changed("pace: {epoch: 1}\n")
    assert "model.backbone.dropout" in changed(
        model={"class_path": "TextClassification", "init_args": {"backbone": {"name": "a", "droput": 1}}}
    )


def test_other_nestings(mine: str) -> None:
    Path("wrapped.yaml").write_text(yaml.safe_dump({"fit": MINE}))
    assert "wrapped.yaml:1: the options stand below `fit:`" in slip("fit", "--config", "wrapped.yaml")
    message = changed(model={"class_path": "TextClassification", "backbone": "a"})
    assert "changed.yaml:3: backbone stands beside `class_path:`" in message
    assert "init_args: {backbone: ...}" in message
    message = changed(model={"class_path": "TextClassification", "trainer": {"max_epochs": 1}})
    assert "changed.yaml:3: trainer is no option of a class: `trainer:` stands at the top" in message
    message = changed("class_path: TextClassification\n")
    assert "changed.yaml:13: class_path stands at the top; it belongs below `model:` or `data:`" in message
    message = changed("model.learning_rate: 1\n")
    assert "model.learning_rate is written model: {init_args: {learning_rate: ...}} in a configuration" in message
    for key, meant in (("args", "init_args"), ("class", "class_path"), ("_target_", "class_path")):
        model = {"class_path": "TextClassification", "init_args": {"backbone": "a"}}
        model = {key if name == meant else name: value for name, value in model.items()}
        assert f"`{key}:` is written `{meant}:` here" in changed(model=model)
    message = changed(model={"class_path": "TextClassification", "init_args": ["a"]})
    assert "changed.yaml:3: model.init_args is ['a']; options" in message
    for entry in ({"class_path": "Probe", "data": "a"}, [{"class_path": "Probe", "data": "a"}]):
        assert "data stands beside `class_path:`" in changed(trainer={"callbacks": entry})
    message = changed(trainer={"callbacks": [{"Probe": {"data": "a"}}]})
    assert "a class of trainer.callbacks is written `class_path: Probe`" in message
    assert "--trainer.max_epochs 3 sets one option" in slip("fit", "--config", mine, "--trainer", "max_epochs=3")


def test_classes_that_nothing_names(mine: str) -> None:
    for model in ({"init_args": {"class_weights": "balanced"}}, {"class_weights": "balanced"}):
        message = changed(model=model)
        assert message.startswith("changed.yaml:1: model has no class_path")
        assert "of TextClassification, " in message
        assert "`model: {class_path: CLASS, init_args: {...}}`" in message
    assert "changed.yaml:6: data has no class_path" in changed(data={"init_args": {"train_files": "a"}})
    assert "model has no class_path" in slip("fit", "--model.learning_rate", "1")
    Path("overlay.yaml").write_text("model: {init_args: {learning_rate: 1}}\n")
    message = slip("fit", "--config", "overlay.yaml", "--config", mine)
    assert "(mine.yaml names it): give --config overlay.yaml after --config mine.yaml" in message
    assert slip("fit", "--config", mine, "--config", "overlay.yaml") == ""
    message = slip("fit", "--model.learning_rate=1", "--config", mine)
    assert "give --model.learning_rate after --config mine.yaml" in message
    message = slip("fit", "--data.train_files", "a", "--data", "CorpusDataModule")
    assert "give --data CorpusDataModule before it" in message


def test_classes_of_another_part(mine: str) -> None:
    assert "which is a class for model: --model MaskedLanguageModeling" in slip(
        "fit", "--config", mine, "--data", "MaskedLanguageModeling"
    )
    assert "CorpusDataModule is a class for `data:`, not for `model:`" in changed(
        model={"class_path": "CorpusDataModule"}
    )
    Path("t.csv").write_text("text,label\n")
    assert "--data.train_files t.csv reads files" in slip("fit", "--config", mine, "--data", "t.csv")
    message = changed(data="t.csv")
    assert "data names a class: `data: {class_path: CLASS, init_args: {train_files: t.csv}}` reads files" in message
    assert "--data.test_files t.csv reads files" in slip("test", "--config", mine, "--data", "t.csv")


def test_words_that_belong_to_no_option(mine: str) -> None:
    Path("t.csv").write_text("text,label\n")
    Path("runs/mine/version_0").mkdir(parents=True)
    Path("runs/mine/version_0/config.yaml").write_text("name: a\n")
    for given, cure in (
        (["mine.yaml"], "--config mine.yaml."),
        (["config=mine.yaml"], "--config mine.yaml?"),
        (["trainer.max_epochs=3"], "--trainer.max_epochs 3?"),
        (["trainer.max_epochs", "3"], "--trainer.max_epochs 3?"),
        (["-trainer.max_epochs", "3"], "--trainer.max_epochs 3?"),
        (["—trainer.max_epochs", "3"], "--trainer.max_epochs 3?"),
        (["+lr=3"], "--model.learning_rate 3?"),
        (["-lr", "3"], "--model.learning_rate?"),
        (["t.csv"], "--data.predict_files t.csv"),
        (["runs/mine"], "--config runs/mine/version_0/config.yaml"),
        (["TextClassification"], "--model TextClassification"),
        (["CorpusDataModule"], "--data CorpusDataModule"),
        (["good", "film"], "'good' belongs to no option; an option is written --key value"),
    ):
        assert cure in slip("predict", *given), (given, slip("predict", *given))


def test_nothing_is_wrong_with_what_is_shipped(mine: str) -> None:
    """Nor with any option of any class, nor with the forms that the parser knows."""
    bases = {"recipes": "finetune/sentiment.yaml", "backbones": "pretrain/masked.yaml", "trainers": "finetune/ner.yaml"}
    overlays = dict.fromkeys(("mnli_mismatched.yaml", "diagnostics.yaml"), "finetune/glue/mnli.yaml")
    for path in CONFIGS.rglob("*.yaml"):
        kind = path.relative_to(CONFIGS).parts[0]
        if kind in ("suites", "spaces"):
            continue
        below = overlays.get(path.name, bases.get(kind))
        base = ["--config", str(CONFIGS / below)] if below else []
        assert slip("fit", *base, "--config", str(path)) == "", path
    for part, base_class in PARTS.items():
        for kind in classes(base_class):
            for option in options_of(kind):
                for key in (f"{part}.{option}", f"{part}.init_args.{option}"):
                    assert slip("fit", f"--{part}", kind.__name__, f"--{key}", "1") == "", key
    more = ("--trainer.callbacks+=Probe", "--trainer.callbacks.data", "x", "--trainer.logger.project=x", "--model.help")
    assert slip("fit", "--config", mine, *more, "--model", "MaskedLanguageModeling", "--print_config") == ""
    assert slip("fit", "--config", mine, "--model.backbone.config.hidden_size", "1", "--early_stopping=null") == ""


def test_every_alias_stands_for_something() -> None:
    known = KnownOptions(parser(), {})
    for name, target in ALIASES.items():
        for option in target.split("|"):
            assert option.partition(" ")[0] in known, (name, option)
        assert suggest(name, known), name


def test_the_command_line_says_it(mine: str, fails: Fails) -> None:
    """With an exit code, without a traceback, from another folder too; a part of a name is none."""
    assert "--model.learning_rate" in fails("fit", "--config", mine, "--lr", "1")
    assert "did you mean --trainer.max_epochs" in fails("fit", "--config", mine, "--trainer.max_epoch=3")
    assert "--config mine.yaml" in fails("fit", "mine.yaml")
    assert "--model is given twice, A and then B" in fails("fit", "--config", mine, "--model", "A", "--model=B")
    assert "needs a value" in fails("fit", "--config", mine, "--trainer.max_epochs")
    Path("below").mkdir()
    for text, message in (("lr: 1", "there is no option lr"), ("model: {init_args: {lr: 1}}", "has no option 'lr'")):
        Path("below/wrong.yaml").write_text(f"{text}\n")
        said = fails("fit", "--config", mine, "--config", "below/wrong.yaml")
        assert said.startswith("error: below/wrong.yaml:1: ")
        assert message in said
    assert "did you mean --trials" in fails("tune", "--config", mine, "--trails", "3")
    assert "did you mean --trainer.max_steps" in fails("fit", "--config", mine, "--step", "3")
    assert "did you mean --steps" in fails("benchmark", "--config", mine, "--step", "3")
    assert "options, such as early_stopping.patience, or null would" in fails(
        "fit", "--config", mine, "--early_stopping=true"
    )
    assert not Path("runs").exists()


def test_options_of_callbacks_and_loggers() -> None:
    for part, name, option in (("callbacks", "EarlyStopping", "patiens"), ("logger", "CSVLogger", "save_dirs")):
        entry = {"class_path": name, "init_args": {"name" if part == "logger" else "monitor": "a", option: 1}}
        for full in (name, f"lightning.pytorch.{'loggers' if part == 'logger' else part}.{name}"):
            for entries in ({**entry, "class_path": full}, [{**entry, "class_path": full}]):
                message = changed(trainer={part: entries})
                assert re.match(
                    rf"changed.yaml:\d+: {name} has no option '{option}' \(did you mean {option[:6]}", message
                )
    assert changed(trainer={"callbacks": [{"class_path": "Unknown", "init_args": {"a": 1}}]}) == ""
    assert changed(trainer={"callbacks": [{"class_path": "LearningRateMonitor", "init_args": None}]}) == ""


def test_many_runs_read_their_options_once(mine: str, fails: Fails) -> None:
    """Before the first of them begins."""
    assert "did you mean --model.learning_rate" in fails("fit", "--config", mine, "--seeds", "1,2", "--lr", "1")
    glue = str(CONFIGS / "suites" / "glue.yaml")
    message = fails("suite", "--config", glue, "--lr", "1")
    assert message.startswith("error: The task ")
    assert "did you mean --model.learning_rate" in message
    assert message.count("error") == 1
    assert "mine.yaml is of one training: fit --config mine.yaml" in fails("suite", "--config", mine)
    assert not Path("runs").exists()


def test_names_of_classes(mine: str, fails: Fails) -> None:
    assert "--model.backbone bert-base-uncased" in fails("fit", "--config", mine, "--model", "bert-base-uncased")
    message = fails("fit", "--config", mine, "--model", "textclassification")
    assert message.startswith("error: model: there is no class 'textclassification' (did you mean TextClassification")
    assert "DataModule" not in message
    for given in ("wandb", "WandbLoger"):
        message = fails("fit", "--config", mine, "--trainer.logger", given)
        assert (
            f"trainer.logger: there is no class {given!r} (did you mean WandbLogger?); there are: CSVLogger" in message
        )
    message = fails("fit", "--config", mine, "--trainer.callbacks+=ModelChekpoint")
    assert "did you mean ModelCheckpoint" in message
    message = fails("fit", "--config", mine, "--trainer.callbacks+=EarlyStopping")
    assert "trainer.callbacks: there are several classes EarlyStopping; lightning.pytorch.callbacks" in message
    message = fails("fit", "--config", mine, "--trainer.logger", "TensorBoardLogger")
    assert message == "error: trainer.logger: TensorBoardLogger needs save_dir: --trainer.logger.save_dir ..."
    message = fails("fit", "--model", "TextClassification", "--data", "CorpusDataModule")
    assert message == "error: model: TextClassification needs backbone: --model.backbone ..."
