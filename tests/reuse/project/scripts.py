"""Scripts around Lightning's Trainer, plain loops, and modules as parts of others."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from checks import check, run
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning, EarlyStopping, ModelPruning
from lightning.pytorch.loggers.logger import DummyLogger
from material import TINY, batch, loader, trainer
from torch.utils.data import DataLoader

import pretune
from pretune.datamodules import CorpusDataModule, TextClassificationDataModule
from pretune.errors import InputError
from pretune.modules import (
    CausalLanguageModeling,
    MaskedLanguageModeling,
    SequenceToSequence,
    TextClassification,
    TokenClassification,
)

LABELS = ["neg", "pos"]


def classifier(**options: Any) -> Any:
    torch.manual_seed(0)
    return TextClassification(**{"backbone": "bert", "labels": LABELS, "learning_rate": 1e-2, **options})


def reviews(**options: Any) -> TextClassificationDataModule:
    files = {"train_files": "reviews.csv", "validation_files": "held_out.csv", "test_files": "held_out.csv"}
    return TextClassificationDataModule(**{**files, "predict_files": "held_out.csv", "batch_size": 8, **options})


def weights(module: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.model.parameters()])


def refused(pattern: str, call: Any) -> None:
    with pytest.raises(InputError, match=pattern):
        call()


@check
def the_installed_copy_is_used() -> None:
    (place,) = pretune.__path__
    assert place.startswith(os.environ["PYTHONPATH"]), place
    assert not Path(place, "tests").exists()


# ---------------------------------------------------------------------- the trainer's verbs in any order


def _any_order(make: Any, data: Any) -> None:
    for verb in ("validate", "test", "predict"):
        module = make()
        if verb == "predict" and isinstance(module, TextClassification):
            module.labels = LABELS  # a new head knows none
            module._trained = True  # what it predicts is chance; that it may be asked is the point
        getattr(trainer(), verb)(module, data())
        torch.manual_seed(0)
        later = trainer(limit_train_batches=2)
        later.fit(module, data())
        assert torch.isfinite(later.callback_metrics["val/loss"])
        later.validate(module, data(), verbose=False)
        trainer(inference_mode=False).validate(module, data(), verbose=False)


@check
def classification_in_any_order() -> None:
    _any_order(lambda: classifier(labels=None), reviews)
    before, after = trainer(), trainer()
    module = classifier(labels=None)
    assert before.validate(module, reviews(), verbose=False)[0]["val/accuracy"] <= 0.75
    trainer(max_epochs=8).fit(module, reviews())
    assert after.validate(module, reviews(), verbose=False)[0]["val/accuracy"] > 0.9


@check
def masked_modeling_in_any_order() -> None:
    def corpus() -> CorpusDataModule:
        return CorpusDataModule(
            train_files="reviews.csv", text_column="text", test_files="reviews.csv", predict_texts=["the [MASK]"],
            block_size=16, batch_size=4,
        )  # fmt: skip

    _any_order(lambda: MaskedLanguageModeling("bert"), corpus)


@check
def own_loaders_in_any_order() -> None:
    for make, rows in (
        (lambda: classifier(problem="multi", labels=["a"]), lambda b: {**b, "labels": b["labels"].float()[:, None]}),
        (lambda: classifier(problem="regression", labels=None), lambda b: {**b, "labels": b["labels"].float()}),
        (
            lambda: TokenClassification("bert", labels=["O", "B-X", "I-X"]),
            lambda b: {**b, "labels": (b["input_ids"] % 3).masked_fill(b["attention_mask"] == 0, -100)},
        ),
    ):
        module = make()
        data = DataLoader([rows(batch(i)) for i in range(3)], batch_size=None)
        trainer().validate(module, data, verbose=False)
        trainer().test(module, data, verbose=False)
        trainer().fit(module, data, data)
        trainer().validate(module, data, verbose=False)


# ---------------------------------------------------------------------- several loaders


@check
def loaders_are_scored_apart() -> None:
    parts = [loader(10, 3), loader(50, 2, rows=5)]
    module = classifier()
    trainer().fit(module, loader())
    for verb, stage in (("validate", "val"), ("test", "test")):
        alone = [getattr(trainer(), verb)(module, part, verbose=False)[0] for part in parts]
        first, second = getattr(trainer(), verb)(module, parts, verbose=False)
        assert first == alone[0], (first, alone[0])
        assert second == {f"{name}/dataloader_idx_1": value for name, value in alone[1].items()}, (second, alone[1])
        assert first[f"{stage}/loss"] != second[f"{stage}/loss/dataloader_idx_1"]


@check
def callbacks_go_by_the_first_loader() -> None:
    run_ = trainer(max_epochs=2, callbacks=[EarlyStopping("val/loss")])
    module = classifier()
    run_.fit(module, loader(), [loader(10), loader(50)])
    found = trainer().validate(module, loader(10), verbose=False)[0]
    torch.testing.assert_close(float(run_.callback_metrics["val/loss"]), found["val/loss"])


@check
def what_a_subclass_logs_is_named_by_lightning() -> None:
    class Mine(TextClassification):
        def validation_step(self, rows: Any, number: int, dataloader_idx: int = 0) -> None:
            super().validation_step(rows, number, dataloader_idx)
            self.log("mine", float(dataloader_idx), batch_size=1)

    found = trainer().validate(Mine("bert", labels=LABELS), [loader(10), loader(50)], verbose=False)
    assert [part.get(f"mine/dataloader_idx_{i}") for i, part in enumerate(found)] == [0.0, 1.0]


@check
def predictions_of_several_loaders() -> None:
    module = classifier()
    trainer().fit(module, loader())
    found = trainer().predict(module, [loader(1, 2), loader(5, 1)])
    assert [len(part) for part in found] == [2, 1]


@check
def texts_written_for_one_loader_at_a_time() -> None:
    module = SequenceToSequence({"config": {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1,
                                            "num_heads": 2, "vocab_size": 128}})  # fmt: skip
    module.tokenizer = classifier().backbone.load_tokenizer()
    rows = DataLoader([{**batch(), "labels": batch(1)["input_ids"]}], batch_size=None)
    refused("one set of texts at a time", lambda: trainer().test(module, [rows, rows], verbose=False))


# ---------------------------------------------------------------------- a part of another module


class Both(LightningModule):
    """Two parts that learn together."""

    def __init__(self, *parts: Any, build: bool = True) -> None:
        super().__init__()
        self.first = parts[0]
        if len(parts) > 1:
            self.second = parts[1]
        self.build = build
        self.losses: list[float] = []

    def configure_model(self) -> None:
        for part in self.children():
            if self.build:
                part.build()

    def training_step(self, rows: Any, number: int) -> Any:
        losses = [part.training_step(rows, number) for part in self.children()]
        self.losses.append(float(losses[0]))
        return sum(losses)

    def validation_step(self, rows: Any, number: int) -> None:
        for part in self.children():
            part.validation_step(rows, number)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@check
def a_part_learns_as_it_would_alone() -> None:
    part = classifier()
    whole = Both(part)
    run_ = trainer()
    run_.fit(whole, loader(), loader(10))
    plain = classifier()
    plain.build()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    for rows, value in zip(loader(), whole.losses, strict=True):
        loss = F.cross_entropy(plain(**{k: v for k, v in rows.items() if k != "labels"}).logits, rows["labels"])
        torch.testing.assert_close(float(loss.detach()), value)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(weights(part), weights(plain))
    alone = trainer().validate(part, loader(10), verbose=False)[0]
    torch.testing.assert_close(float(run_.callback_metrics["val/loss"]), alone["val/loss"])
    torch.testing.assert_close(float(run_.callback_metrics["val/accuracy"]), alone["val/accuracy"])


@check
def parts_log_under_their_names() -> None:
    parts = classifier(), classifier(labels=["a", "b", "c"])
    run_ = trainer()
    run_.fit(Both(*parts), loader(), loader(10))
    for name, part in zip(("first", "second"), parts, strict=True):
        alone = trainer().validate(part, loader(10), verbose=False)[0]
        torch.testing.assert_close(float(run_.callback_metrics[f"{name}/val/loss"]), alone["val/loss"])


@check
def a_part_that_is_not_built_says_so() -> None:
    class Lazy(Both):
        def configure_optimizers(self) -> Any:
            return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)

    refused(r"call build\(\) first", lambda: trainer().fit(Lazy(classifier(), build=False), loader()))


@check
def masks_of_a_part_change_with_the_step() -> None:
    whole = Both(MaskedLanguageModeling("bert"))
    whole.configure_optimizers = lambda: torch.optim.SGD(whole.parameters(), lr=0.0)  # type: ignore[method-assign]
    trainer().fit(whole, DataLoader([batch(labels=False)] * 4, batch_size=None))
    assert len(set(whole.losses)) == 4, whole.losses


# ---------------------------------------------------------------------- a loop of one's own


@check
def masks_change_where_nobody_counts_steps() -> None:
    rows = batch(labels=False)
    module = MaskedLanguageModeling("bert")
    module.build()
    steps = [float(module.training_step(rows, 0)) for _ in range(5)]
    assert len(set(steps)) == 5, steps
    assert len({float(module.step(rows, "train").loss) for _ in range(5)}) == 5
    assert len({float(module.step(rows, "val").loss) for _ in range(3)}) == 1
    torch.manual_seed(1)
    again = [MaskedLanguageModeling("bert") for _ in range(2)]
    for other in again:
        other.build()
    assert float(again[0].training_step(rows, 0)) == float(again[1].training_step(rows, 0))


@check
def two_passes_of_r_drop_hide_the_same() -> None:
    module = MaskedLanguageModeling("bert", r_drop=1.0)
    module.build()
    losses = [float(module.training_step(batch(labels=False), 0)) for _ in range(2)]
    assert losses[0] != losses[1]


@check
def a_plain_loop_learns_and_scores() -> None:
    module = classifier()
    refused("parameter_groups", module.configure_optimizers)
    module.build()
    module.train()
    optimizer = torch.optim.AdamW(module.parameter_groups())
    for _ in range(20):
        for number, rows in enumerate(loader()):
            optimizer.zero_grad()
            module.training_step(rows, number).backward()
            optimizer.step()
    assert module.read_scores("train")["train/accuracy"] > 0.7
    module.eval()
    with torch.no_grad():
        for number, rows in enumerate(loader()):
            module.validation_step(rows, number)
    found = module.read_scores("val")
    assert found["val/accuracy"] > 0.9, found
    expected = trainer().validate(module, loader(), verbose=False)[0]
    torch.testing.assert_close(found, {name: float(value) for name, value in expected.items()})
    assert module.read_scores("val") == {}


@check
def a_share_that_changes_needs_a_trainer() -> None:
    module = MaskedLanguageModeling("bert", final_mask_probability=0.3)
    module.build()
    refused("final_mask_probability", lambda: module.training_step(batch(labels=False), 0))


@check
def epochs_of_a_plain_loop_differ() -> None:
    data = reviews(tokenizer="bert")
    data.prepare_data()
    data.setup("fit")

    def seen(batches: Any) -> list[str]:
        return [str(row) for rows in batches for row in rows["input_ids"].tolist()]

    once = data.train_dataloader()
    epochs = [seen(once), seen(once), seen(data.train_dataloader()), seen(data.train_dataloader())]
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert all(len(set(epoch)) == 60 for epoch in epochs)
    told = data.train_dataloader()
    told.sampler.set_epoch(0)
    assert seen(told) == epochs[0]
    assert seen(told) == epochs[0]


# ---------------------------------------------------------------------- callbacks of Lightning


@check
def freezing_a_backbone_that_is_no_module() -> None:
    finetuning = trainer(callbacks=[BackboneFinetuning(1)])
    refused("model.backbone.freeze", lambda: finetuning.fit(classifier(), loader()))


class Thaw(BaseFinetuning):
    """Trains the body from the second epoch on."""

    def freeze_before_training(self, module: Any) -> None:
        self.freeze(module.model.base_model)

    def finetune_function(self, module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(module.model.base_model, optimizer)


@check
def own_finetuning_of_a_built_network() -> None:
    refused(r"build\(\)", lambda: trainer(callbacks=[Thaw()]).fit(classifier(), loader()))
    for epochs in (1, 3):
        module = classifier(schedule="constant")
        module.build()
        before = {name: p.detach().clone() for name, p in module.model.named_parameters()}
        trainer(max_epochs=epochs, callbacks=[Thaw()]).fit(module, loader())
        moved = {name for name, p in module.model.named_parameters() if not torch.equal(p, before[name])}
        assert {"classifier.weight"} <= moved
        assert any(name.startswith("bert.encoder") for name in moved) == (epochs == 3), (epochs, moved)


@check
def pruning_of_a_built_network() -> None:
    refused(r"build\(\)", lambda: trainer(callbacks=[ModelPruning("l1_unstructured")]).fit(classifier(), loader()))
    module = classifier()
    module.build()
    pruning = ModelPruning("l1_unstructured", parameter_names=["weight"], amount=0.5)
    trainer(callbacks=[pruning]).fit(module, loader())
    matrices = [p for name, p in module.model.named_parameters() if name.endswith("dense.weight")]
    assert matrices
    zeros = sum(int((p == 0).sum()) for p in matrices) / sum(p.numel() for p in matrices)
    assert zeros > 0.3, zeros
    module.save_pretrained("pruned")
    from transformers import AutoModelForSequenceClassification

    rows = {k: v for k, v in batch().items() if k != "labels"}
    module.model.eval()
    loaded = AutoModelForSequenceClassification.from_pretrained("pruned")
    torch.testing.assert_close(loaded(**rows).logits, module.model(**rows).logits)


class Recorder(DummyLogger):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def log_metrics(self, metrics: Any, step: Any = None) -> None:  # type: ignore[override]
        self.names |= set(metrics)


@check
def a_logger_of_ones_own() -> None:
    logger = Recorder()
    trainer(logger=logger, log_every_n_steps=1).fit(classifier(), loader(), loader(10))
    assert {"train/loss", "val/loss", "val/accuracy"} <= logger.names, logger.names


# ---------------------------------------------------------------------- no tokenizer, own optimizers


@check
def causal_modeling_without_a_tokenizer() -> None:
    torch.manual_seed(0)
    module = CausalLanguageModeling({"config": {"model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2,
                                                "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2}})  # fmt: skip
    found = trainer().validate(module, loader(labels=False), verbose=False)[0]["val/loss"]
    module.model.eval()
    total = count = 0.0
    for rows in loader(labels=False):
        labels = rows["input_ids"].masked_fill(rows["attention_mask"] == 0, -100)
        number = float((labels[:, 1:] != -100).sum())
        total += float(module.model(**rows, labels=labels).loss) * number
        count += number
    torch.testing.assert_close(found, total / count, rtol=1e-5, atol=1e-5)
    before = weights(module)
    trainer().fit(module, loader(labels=False))
    assert not torch.equal(before, weights(module))
    refused("need a tokenizer", lambda: module.complete(["a"]))


@check
def masked_modeling_without_a_tokenizer() -> None:
    module = MaskedLanguageModeling({"config": {"model_type": "bert", **TINY}})
    refused("needs a tokenizer with a mask token", lambda: trainer().fit(module, loader(labels=False)))


class Plain(MaskedLanguageModeling):
    shares: list[float]

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def on_train_batch_end(self, *args: Any) -> None:
        self.shares = [*getattr(self, "shares", []), self.progress()]


@check
def an_optimizer_of_ones_own() -> None:
    module = Plain("bert", final_mask_probability=0.5)
    trainer(max_epochs=2).fit(module, loader(batches=2, labels=False))
    assert module.shares == [0.25, 0.5, 0.75, 1.0], module.shares


# ---------------------------------------------------------------------- before and around building


@check
def weights_find_their_place_before_building() -> None:
    trained = classifier()
    trainer().fit(trained, loader())
    for strict in (True, False):
        module = classifier()
        assert not module.load_state_dict(trained.state_dict(), strict=strict).missing_keys
        torch.testing.assert_close(weights(module), weights(trained))


@check
def a_network_that_other_processes_trained() -> None:
    for labels in (LABELS, None):
        built = classifier()
        built.build()
        before, module = weights(built), classifier(labels=labels)
        trainer(devices=2, strategy="ddp_fork", limit_train_batches=2).fit(module, reviews(batch_size=4))
        if labels is None:  # only the data knew the labels, in other processes
            with pytest.raises(InputError, match="ddp_fork"):
                module.save_pretrained("never")
        else:
            assert not torch.equal(before, weights(module))


@check
def an_optimizer_before_building() -> None:
    assert len(list(classifier().parameters())) > 10
    refused("label names", lambda: classifier(labels=None).parameters())


@check
def a_first_look_in_inference_mode_spoils_nothing() -> None:
    module = classifier()
    with torch.inference_mode():
        module(**batch(labels=False))
    trainer().fit(module, loader(), loader(10))


@check
def moved_before_building() -> None:
    module = classifier().to(torch.float64)
    module.build()
    assert {p.dtype for p in module.model.parameters()} == {torch.float64}


@check
def another_tokenizer_than_the_one_built_with() -> None:
    module = classifier()
    module.build()
    trainer(max_steps=1).fit(module, reviews())
    other = reviews(tokenizer={"train": "wordpiece", "vocab_size": 80})
    refused("tokenizer", lambda: trainer(max_steps=1).fit(module, other))


@check
def copies_are_copies() -> None:
    for make, rows in ((classifier, batch()), (lambda: MaskedLanguageModeling("bert"), batch(labels=False))):
        module = make()
        copy.deepcopy(module)
        trainer().fit(module, DataLoader([rows, rows], batch_size=None))
        inputs = {k: v for k, v in rows.items() if k != "labels"}
        module.eval()
        expected = module(**inputs).logits.detach().clone()
        for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            torch.testing.assert_close(twin(**inputs).logits, expected)
            with torch.no_grad():
                for p in twin.model.parameters():
                    p.add_(0.1)
            assert not torch.allclose(twin(**inputs).logits, expected)
            torch.testing.assert_close(module(**inputs).logits, expected)


@check
def a_compiled_module() -> None:
    compiled = torch.compile(classifier(), backend="eager")
    refused(r"compile=True", lambda: trainer().fit(compiled, loader()))


@check
def batches_that_are_none() -> None:
    refused("these are of type list", lambda: trainer().fit(classifier(), [loader(), loader()]))


if __name__ == "__main__":
    run("scripts.json")
