"""Every metric knows whether it should fall or rise, and all that goes by one asks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torchmetrics import Metric

from pretune import modules
from pretune.cli.callbacks import EarlyStopping as OurEarlyStopping
from pretune.cli.commands.suite_results import Task, merit
from pretune.errors import InputError
from pretune.modules import Backbone, BaseModule, CausalLanguageModeling, TextClassification
from pretune.modules.early_monitors import validated
from pretune.modules.metrics import answer_spans, entities, multilabel, text_scores
from pretune.modules.metrics import basic as metrics
from pretune.modules.metrics.directions import SCORES, direction_of, redirect

FALLING = {"loss", "perplexity", "word_perplexity", "bits_per_byte", "mse"}


class Data:
    """What modules ask of a datamodule, for their metrics to be made."""

    unanswerable = True
    counts: ClassVar = {"validation": {"tokens": 9, "words": 3, "bytes": 20}}

    def examples(self, split: str) -> list[Any]:
        return []


def made(kind: str, **options: Any) -> Any:
    """A module with its metrics, without a network."""
    module = getattr(modules, kind)(Backbone(config={"model_type": "bert"}), **options)
    module._trainer = type("Trainer", (), {"datamodule": Data(), "callbacks": []})()
    if kind == "CausalLanguageModeling":
        module.setup("fit")
    module.make_scores()
    return module


CASES: list[tuple[str, dict[str, Any]]] = [
    ("MaskedLanguageModeling", {}),
    ("CausalLanguageModeling", {}),
    ("NextSentencePrediction", {}),
    ("SentenceOrderPrediction", {}),
    ("ReplacedTokenDetection", {}),
    ("SpanDenoising", {}),
    *(("TextClassification", {"labels": ["a", "b"], "problem": p}) for p in ("single", "multi", "regression")),
    ("TokenClassification", {"labels": ["O", "B-x", "I-x"]}),
    ("QuestionAnswering", {}),
    ("MultipleChoice", {}),
    ("SequenceToSequence", {"generate_in_validation": True}),
    ("InstructionTuning", {}),
]


def test_the_cases_are_all_modules() -> None:
    kinds = {n for n in modules.__all__ if isinstance(k := getattr(modules, n), type) and issubclass(k, BaseModule)}
    assert kinds - {"BaseModule"} == {kind for kind, _ in CASES}


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_every_metric_that_is_logged_has_its_direction(kind: str, options: dict[str, Any]) -> None:
    module = made(kind, **options)
    found = {name: mode for name, mode in module.directions().items() if name.startswith("val/")}
    logged = {"val/loss"}
    for key, metric in module.metrics.by_place.items():
        if key.startswith("val_scores_"):
            logged |= set(metric.keys())
        elif key.startswith("val_loss_"):
            logged.add(f"val/{key.removeprefix('val_loss_')}_loss")
        elif key == "val_perplexity":
            logged.add("val/perplexity")
    logged |= {name.replace("_", "/", 1) for name in getattr(module, "per_text", {}) if name.startswith("val")}
    assert logged <= found.keys()
    fresh = getattr(modules, kind)(Backbone(config={"model_type": "bert"}), **options)  # of which no data are known
    assert logged <= validated(fresh)
    assert set(fresh.may_score) <= SCORES.keys()
    for name, mode in found.items():
        last = name.rpartition("/")[2]
        assert mode == ("min" if last in FALLING or last.endswith("_loss") else "max"), name
    for name, mode in SCORES.items():  # what is said before there are metrics is what they say
        assert found.get(f"val/{name}", mode) == mode
    assert options.get("problem") == "regression" or module.monitor in found  # whose monitor the data decide


def test_every_metric_of_ours_says_its_direction() -> None:
    kinds = [
        kind
        for where in (metrics, multilabel, text_scores, entities, answer_spans, modules.tasks.multiple_choice)
        for kind in vars(where).values()
        if isinstance(kind, type) and issubclass(kind, Metric) and kind.__module__ == where.__name__
    ]
    unsure = {kind.__name__ for kind in kinds if kind.higher_is_better is None}
    assert len(kinds) > 12
    assert unsure == {"Confusion", "LabelCounts", "WordScore"}  # tables, and what others are derived of


def test_a_module_knows_before_its_network_is_there() -> None:
    for monitor, mode in (("val/mse", "min"), ("val/loss", "min"), ("val/mcc", "max"), ("val/f1_binary", "max")):
        assert TextClassification("x", labels=["a", "b"], monitor=monitor).mode == mode
    assert modules.ReplacedTokenDetection("x", monitor="val/generator_loss").mode == "min"
    assert modules.ReplacedTokenDetection("x", monitor="val/discriminator_recall").mode == "max"
    with pytest.raises(InputError, match=r"model.monitor is 'val/mean_absolute'.*model.monitor_mode: min or max"):
        _ = TextClassification("x", labels=["a", "b"], monitor="val/mean_absolute").mode
    assert TextClassification("x", labels=["a"], monitor="val/mean_absolute", monitor_mode="min").mode == "min"
    with pytest.raises(InputError, match="val/perplexity is better when it is lower"):
        _ = CausalLanguageModeling("x", monitor="val/perplexity", monitor_mode="max").mode


def test_a_metric_of_a_subclass_speaks_for_itself() -> None:
    class Error(metrics.MeanPerTarget):
        """Lower is better, whatever it is called."""

    class Own(TextClassification):
        def make_metrics(self, part: str) -> dict[str, Metric]:
            return {"accuracy": Error()}

    module = Own(Backbone(config={"model_type": "bert"}), labels=["a", "b"])
    module.make_scores()
    assert module.mode == "min"
    assert direction_of(metrics.AccuracyPerTarget()) == "max"


def test_callbacks_are_redirected() -> None:
    for mode, other in (("min", "max"), ("max", "min")):
        stopping, fresh = EarlyStopping("a", min_delta=0.1, mode=mode), EarlyStopping("b", min_delta=0.1, mode=other)
        redirect(stopping, "b", other)  # type: ignore[arg-type]
        assert vars(stopping) == vars(fresh)
        best, new = ModelCheckpoint(monitor="a", mode=mode), ModelCheckpoint(monitor="b", mode=other)
        redirect(best, "b", other)  # type: ignore[arg-type]
        assert (best.state_key, best.kth_value) == (new.state_key, new.kth_value)


def test_a_late_monitor_brings_its_direction(tokenizer: Any, tiny: dict[str, Any]) -> None:
    """Without answers a question answerer goes by its loss, which should fall."""
    model = modules.QuestionAnswering(Backbone(config=tiny))
    assert (model.monitor, model.mode) == ("val/f1", "max")
    callbacks = [EarlyStopping("val/f1", mode="max"), ModelCheckpoint(monitor="val/f1", mode="max")]
    model._trainer = type("Trainer", (), {"datamodule": None, "callbacks": callbacks})()
    model.make_scores()
    assert [(c.monitor, c.mode) for c in callbacks] == [("val/loss", "min")] * 2
    assert model.mode == "min"


def test_the_lowest_error_is_kept(reviews: Path, encoder: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    """Every error is written down beforehand: the second is the lowest, though the loss falls on."""
    rows = [line.rsplit(",", 1) for line in reviews.read_text().splitlines()[1:]]
    (tmp_path / "numbers.csv").write_text(
        "text,score\n" + "".join(f"{text},{4.5 if label == 'positive' else 1.5}\n" for text, label in rows)
    )
    kept: list[torch.Tensor] = []
    errors = iter([0.9, 5, 0.2, 5, 0.7, 5, 0.8, 5])  # of validation, and of the epoch of training

    def compute(self: Any) -> torch.Tensor:
        return torch.tensor(next(errors))

    from torchmetrics.regression import MeanSquaredError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MeanSquaredError, "compute", compute)
        patched.setattr(
            TextClassification, "on_validation_epoch_end",
            lambda self: kept.append(self.model.classifier.weight.detach().clone()),
        )  # fmt: skip
        cli = run(
            "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=numbers.csv", "--data.label_column=score", "--model.monitor=val/mse",
            "--trainer.max_epochs=4", "--trainer.num_sanity_val_steps=0", "--early_stopping.patience=2",
            "--pace.validation_share=null", "--trainer.callbacks=null", "--model.learning_rate=1e-3", "--name=mse",
        )  # fmt: skip
    assert len(kept) == 4  # the best is the second, then two without an improvement
    assert torch.equal(cli.model.model.classifier.weight, kept[1])
    assert float(cli.trainer.checkpoint_callback.best_model_score) == pytest.approx(0.2)
    assert next(c for c in cli.trainer.callbacks if isinstance(c, OurEarlyStopping)).mode == "min"


def test_a_suite_takes_the_seed_with_the_lowest_error() -> None:
    task = Task("a", ["mse"])
    low, high = ({"a": {"mse": value}} for value in (0.1, 0.3))
    assert merit("a", task, low, {"mse": "min"}) > merit("a", task, high, {"mse": "min"})
    assert merit("a", task, low, {}) < merit("a", task, high, {})
