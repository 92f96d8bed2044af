"""Values that come to nothing, packages that are not installed, runs with other options: each has one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pretune.cli.mistakes.missing_packages import packages_named
from pretune.cli.mistakes.option_values import LOWEST, UNTRAINED, check_values
from pretune.cli.mistakes.processes import check_processes
from pretune.errors import InputError
from pretune.modules.backbone.skeleton import new_network

Run = Callable[..., Any]
Fails = Callable[..., str]


@pytest.fixture
def mine(reviews: Path, encoder: Path, tiny: dict[str, Any]) -> str:
    tiny = tiny | {"num_hidden_layers": 1}
    config = {
        "model": {"class_path": "TextClassification", "init_args": {"backbone": {"config": tiny}}},
        "data": {
            "class_path": "TextClassificationDataModule",
            "init_args": {"train_files": str(reviews), "label_column": "stars", "tokenizer": str(encoder)},
        },
        "trainer": {"max_steps": 2, "precision": "32-true"},
    }
    Path("mine.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return "mine.yaml"


def overlay(key: str, value: Any) -> str:
    """A configuration of one option."""
    for part in reversed(key.split(".")):
        value = {part: value}
    for part in ("model", "data"):
        if part in value:
            value[part] = {"init_args": value[part]}
    Path("overlay.yaml").write_text(yaml.safe_dump(value))
    return "overlay.yaml"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.accumulate_grad_batches", 0, "must be at least 1"),
        ("trainer.val_check_interval", 0, "must be above 0"),
        ("trainer.check_val_every_n_epoch", 0, "must be at least 1"),
        ("trainer.num_nodes", 0, "must be at least 1"),
        ("trainer.limit_val_batches", -1, "must be at least 0"),
        ("trainer.gradient_clip_val", float("inf"), "must be finite"),
        ("checkpoint.every_n_steps", 0, "must be at least 1"),
        ("early_stopping.min_delta", float("nan"), "must be finite"),
        ("data.seed", -1, "must be at least 0"),
        ("data.validation_fraction", float("nan"), "must be finite"),
        ("model.backbone.dropout", float("inf"), "must be finite"),
        ("model.class_weights", [float("nan"), 1.0], "must be finite"),
        ("seed_everything", -1, "must be at least 0"),
        ("seed_everything", 1 << 40, "must be at most 4294967295"),
        ("trainer.max_epochs", 0, "nothing would be trained"),
        ("trainer.max_steps", 0, "nothing would be trained"),
        ("trainer.limit_train_batches", 0.0, "nothing would be trained"),
    ],
)
def test_values(key: str, value: Any, message: str, mine: str, fails: Fails) -> None:
    """From YAML, and from the command line."""
    text = json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")
    for given in (["--config", overlay(key, value)], [f"--{key}={text}"]):
        said = fails("fit", "--config", mine, *given)
        assert said.startswith(f"error: {key} is ")
        assert message in said
    assert not Path("runs").exists()


def test_values_of_somebody_elses_classes_are_theirs() -> None:
    own = {"class_path": "mine.Mine", "init_args": {"limit": float("inf")}}
    check_values("fit", {"model": own, "trainer": {"callbacks": [own], "max_epochs": None, "val_check_interval": 1.0}})
    for key in UNTRAINED:
        part, _, name = key.partition(".")
        check_values("validate", {part: {name: 0}})  # as a saved configuration may have it
        with pytest.raises(InputError, match="nothing would be trained"):
            check_values("fit", {part: {name: 0}})
    for key in LOWEST:
        value: Any = -5
        for name in reversed(key.split(".")):
            value = {name: value}
        with pytest.raises(InputError, match=key):
            check_values("test", value)


def test_a_least_above_the_most() -> None:
    for values in (
        {"trainer": {"min_epochs": 3, "max_epochs": 2}},
        {"trainer": {"min_steps": 3, "max_steps": 2, "max_epochs": -1}},
        {"trainer": {"min_epochs": 5, "max_epochs": None, "max_steps": -1}, "pace": {"epochs": 3}},
    ):
        with pytest.raises(InputError, match=r"^trainer\.min_\w+ is \d, above \w+\.\w+, \d, where training ends"):
            check_values("fit", values)
        check_values("test", values)
    check_values("fit", {"trainer": {"min_epochs": 3, "max_epochs": -1, "min_steps": 2, "max_steps": 2}})


def test_more_processes_than_cores(monkeypatch: pytest.MonkeyPatch, mine: str, fails: Fails) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    message = fails("fit", "--config", mine, "--trainer.devices=99", "--trainer.accelerator=cpu")
    assert "trainer.devices is 99, and on a CPU each is a process: there are 2 cores" in message
    with pytest.warns(UserWarning, match=r"trainer\.devices is 3, .* more than the 2 cores"):
        check_processes("3")
    for devices in (2, "auto", -1):
        check_processes(devices)


def test_what_an_architecture_looks_up() -> None:
    """A field that was changed after it was looked at."""

    class Auto:
        @staticmethod
        def from_config(config: Any, **options: Any) -> None:
            raise config.error

    for error in (KeyError("gleu"), AttributeError("no field"), IndexError("out"), AssertionError("odd")):
        with pytest.raises(InputError, match=r"^backbone\.config does not make a bert: (no 'gleu'|no field|out|odd)$"):
            new_network(Auto, SimpleNamespace(model_type="bert", error=error), None)


def test_fields_of_an_architecture(mine: str, fails: Fails) -> None:
    for field, value, message in (
        ("num_hidden_layers", "two", "is 'two'; a whole number, such as 12, would work"),
        ("num_hidden_layers", 2.5, "is 2.5; a whole number"),
        ("num_hidden_layers", -1, "is -1; a whole number that is not below 0"),
        ("layer_norm_eps", "small", "is 'small'; a number"),
        ("is_decoder", "maybe", "is 'maybe'; true or false"),
        ("hidden_act", "gleu", "is 'gleu' (did you mean gelu"),
        ("hidden_dropout_prob", float("nan"), "is nan; it must be finite"),
    ):
        text = json.dumps(value).replace("NaN", ".nan").strip('"')
        said = fails("fit", "--config", mine, f"--model.backbone.config.{field}={text}")
        assert f"backbone.config.{field} {message}" in said
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["WandbLogger", "MLFlowLogger", "CometLogger"])
def test_loggers_that_are_not_installed(name: str, mine: str, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.pytorch import loggers

    def missing(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ModuleNotFoundError("Requirement 'nowhere-to-be-had>=1.2' not met. HINT: Try running `pip install ...`")

    monkeypatch.setattr(getattr(loggers, name), "__init__", missing)
    cure = "needs the package nowhere-to-be-had>=1.2, which is not installed: pip install 'nowhere-to-be-had>=1.2'"
    csv = {"class_path": "CSVLogger", "init_args": {"save_dir": "logs"}}
    for given in (
        ["--trainer.logger", name],
        ["--config", overlay("trainer.logger", [{"class_path": name}, csv])],
    ):
        message = fails("fit", "--config", mine, *given)
        assert message.startswith(f"error: trainer.logger: {name} {cure}")
        assert "Namespace" not in message
    assert not Path("runs").exists()


def test_other_packages_that_are_not_installed() -> None:
    def make() -> None:
        with packages_named({"trainer": {"callbacks": [{"class_path": "some.Mine"}]}}):
            try:
                raise ModuleNotFoundError("No module named 'sklearn'")
            except ModuleNotFoundError as error:
                raise ValueError("Problem with given class_path 'some.Mine':\n  No module") from error

    with pytest.raises(InputError, match=r"^trainer\.callbacks: Mine needs the package scikit-learn, which is not"):
        make()
    for error in (ValueError("No module named 'a'"), ImportError("cannot import name"), InputError("known")):
        with pytest.raises(type(error), match=str(error)), packages_named({}):
            raise error


def test_data_and_devices_that_are_not_there(mine: str, fails: Fails) -> None:
    message = fails("fit", "--model", "TextClassification", "--model.backbone", "a")
    assert "nothing says which data to read: give --data CLASS" in message
    assert "TextClassificationDataModule" in message
    message = fails("fit", "--config", mine, "--trainer.accelerator", "cuda")
    assert "trainer.accelerator is cuda, and no GPU is seen here; auto or cpu would work" in message


def test_no_step_no_export(mine: str, fails: Fails) -> None:
    message = fails("fit", "--config", mine, "--trainer.max_time=00:00:00:00", "--trainer.accelerator=cpu")
    assert "No step was trained" in message
    assert not list(Path("runs").rglob("export"))


def test_a_run_that_is_evaluated_with_other_options(mine: str, run: Run, fails: Fails, reviews: Path) -> None:
    run("fit", "--config", mine)
    tested = ("--config", mine, f"--data.test_files={reviews}")
    cure = "--config runs/mine/version_0/config.yaml takes its options"
    wider = ("--model.backbone.config.hidden_size", "64")
    message = fails("test", *tested, *wider)
    assert f"runs/mine/version_0 is of another model or backbone; --ckpt_path best would evaluate it, {cure}" in message
    for verb, files in (("test", f"--data.test_files={reviews}"), ("predict", "--data.predict_texts=fine")):
        message = fails(verb, "--config", mine, files, "--model.backbone=nobody/nothing")
        assert "runs/mine/version_0 is of another model or backbone; --ckpt_path best would evaluate it" in message
        assert "As it is: The backbone 'nobody/nothing' cannot be loaded" in message
    message = fails("test", *tested, *wider, "--ckpt_path=best")
    assert "checkpoints/best.ckpt does not fit the model: size mismatch for" in message
    assert f"was trained with other model.backbone.config.hidden_size: {cure}" in message
    message = fails("test", *tested, "--model.labels=[a, b, c]")
    assert f"runs/mine/version_0 was trained with other model.labels: {cure}" in message
    assert "takes its options" not in fails("test", "--config", mine, "--data.test_files=gone.csv")
    faster = ("--config", mine, "--model.learning_rate=0.01")  # which is not why something is missing
    for verb, option, wrong in (
        ("predict", "--data.predict_files=gone.csv", "There is no file gone.csv"),
        ("predict", f"--data.predict_files={reviews} --data.text_column=gone", "there is no column 'gone'"),
        ("test", f"--data.test_files={reviews} --data.label_column=gone", "there is no column 'gone'"),
    ):
        message = fails(verb, *faster, *option.split())
        assert wrong in message
        assert "takes its options" not in message
    Path("other.csv").write_text(reviews.read_text().replace("positive", "neutral"))
    message = fails("test", *faster, "--data.test_files=other.csv")
    assert "the label 'neutral' is not among the known ones" in message
    assert "takes its options" not in message
    run("test", "--config", "runs/mine/version_0/config.yaml", f"--data.test_files={reviews}")
