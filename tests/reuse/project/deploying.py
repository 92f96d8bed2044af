"""Uses the checkpoints of another process; the second of two scripts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checks import check, run
from lightning.pytorch.cli import LightningCLI
from material import trainer
from training import FILES, SCRATCH

from pretune.datamodules import TextClassificationDataModule
from pretune.errors import InputError
from pretune.modules import MaskedLanguageModeling, TextClassification


def wanted(name: str) -> tuple[list[Any], dict[str, float]]:
    found = torch.load(f"kept/{name}.pt")
    return found["rows"], found["scores"]


def same(name: str, module: Any, data: Any, **options: Any) -> None:
    rows, scores = wanted(name)
    found = [row for part in trainer().predict(module, data, **options) for row in part]  # type: ignore[union-attr]
    assert [row["prediction"] for row in found] == [row["prediction"] for row in rows]
    torch.testing.assert_close([row["probabilities"] for row in found], [row["probabilities"] for row in rows])
    again = trainer().test(module, data, verbose=False, **options)[0]
    torch.testing.assert_close(again["test/accuracy"], scores["val/accuracy"])
    torch.testing.assert_close(again["test/loss"], scores["val/loss"])


def held_out(**options: Any) -> TextClassificationDataModule:
    return TextClassificationDataModule(predict_files="held_out.csv", test_files="held_out.csv", **options)


@check
def predictions_from_a_checkpoint() -> None:
    same("named", TextClassification("bert"), held_out(), ckpt_path="kept/named.ckpt")


@check
def a_checkpoint_brings_its_own_tokenizer_and_labels() -> None:
    module = TextClassification({"config": SCRATCH})
    same("scratch", module, held_out(), ckpt_path="kept/scratch.ckpt")
    assert module.labels == ["pos", "neg"]


@check
def loaded_without_a_trainer() -> None:
    for name in ("named", "scratch"):
        for strict in (True, False):
            module = TextClassification.load_from_checkpoint(f"kept/{name}.ckpt", strict=strict)
            same(name, module, held_out())


@check
def training_goes_on() -> None:
    module, data = TextClassification("bert", learning_rate=1e-2), TextClassificationDataModule(**FILES)
    further = trainer(max_epochs=7)
    further.fit(module, data, ckpt_path="kept/named.ckpt")
    assert further.current_epoch == 7
    assert further.global_step == 7 * 2


@check
def labels_in_another_order() -> None:
    other = TextClassification({"config": SCRATCH}, labels=["neg", "pos"])
    with pytest.raises(InputError, match="label names disagree"):
        trainer().test(other, held_out(), ckpt_path="kept/scratch.ckpt")
    built = TextClassification("bert", labels=["pos", "neg"])
    built.build()
    with pytest.raises(InputError, match="label names disagree"):
        trainer().test(built, held_out(), ckpt_path="kept/named.ckpt")


@check
def a_checkpoint_of_another_class() -> None:
    with pytest.raises(InputError, match="is of a TextClassification, the model is a MaskedLanguageModeling"):
        trainer().test(MaskedLanguageModeling("bert"), held_out(), ckpt_path="kept/named.ckpt")


# ---------------------------------------------------------------------- a plain LightningCLI

QUIET = [
    "--trainer.accelerator=cpu", "--trainer.logger=false", "--trainer.enable_checkpointing=false",
    "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.max_steps=2",
]  # fmt: skip
DATA = ["--data.train_files=reviews.csv", "--data.validation_files=held_out.csv"]


def command(*args: str) -> Any:
    return LightningCLI(
        TextClassification, TextClassificationDataModule, save_config_callback=None, args=[*args, *QUIET, *DATA]
    )


@check
def a_plain_command_line() -> None:
    assert command("fit", "--model.backbone=bert").trainer.global_step == 2


@check
def an_option_of_a_backbone_that_is_named() -> None:
    cli = command("fit", "--model.backbone.name=bert", "--model.backbone.dropout=0.3")
    assert cli.model.model.config.hidden_dropout_prob == 0.3
    with pytest.raises(Exception, match=r"--model\.backbone\.name"):  # the parser puts the option in the name's place
        command("fit", "--model.backbone=bert", "--model.backbone.dropout=0.3")


@check
def an_optimizer_on_the_command_line() -> None:
    cli = command("fit", "--model.backbone=bert", "--model.labels=[neg, pos]", "--optimizer=SGD", "--optimizer.lr=0.1")
    (optimizer,) = cli.trainer.optimizers
    assert isinstance(optimizer, torch.optim.SGD)
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {id(p) for p in cli.model.model.parameters()}
    with pytest.raises(InputError, match="label names"):
        command("fit", "--model.backbone=bert", "--optimizer=SGD", "--optimizer.lr=0.1")


@check
def a_checkpoint_on_a_plain_command_line() -> None:
    cli = command("validate", "--model.backbone=bert", "--ckpt_path=kept/named.ckpt")
    torch.testing.assert_close(float(cli.trainer.callback_metrics["val/loss"]), wanted("named")[1]["val/loss"])


if __name__ == "__main__":
    run("deploying.json")
