from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import pearsonr, spearmanr
from seven_encoders import SEVEN, config  # type: ignore[import-not-found]
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from tests_support import sentence

from pretune.errors import InputError
from pretune.modules import Backbone, TextClassification


def make(backbone: Any, tokenizer: Any, labels: list[str] | None = None, **options: Any) -> TextClassification:
    torch.manual_seed(0)
    model = TextClassification(backbone, labels=labels or ["a", "b", "c"], **options)
    model.tokenizer = tokenizer
    model.build()
    return model


def batch(rows: int = 8) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (rows, 10), generator=torch.Generator().manual_seed(1))
    labels = torch.arange(rows) % 3
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


@pytest.mark.parametrize("model_type", SEVEN)
def test_one_batch_is_learned_by_heart_and_read_back(model_type: str, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    model, data = make(Backbone(config=config(model_type), dropout=0.0), tokenizer), batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(100):
        output = model.step(data, "val")
        losses.append(float(output.loss.detach()))
        if losses[-1] < 0.1 * losses[0]:
            break
        optimizer.zero_grad()
        (output.loss / output.count).backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    model.eval()
    model.save_pretrained(tmp_path / "out")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert plain.config.id2label == {0: "a", 1: "b", 2: "c"}
    inputs = model.network_inputs(data)
    assert torch.equal(plain(**inputs).logits, model(**inputs).logits)


@pytest.mark.parametrize(
    ("weights", "smoothing"), [(None, 0.0), ([1.0, 2.0, 5.0], 0.0), (None, 0.2), ([1.0, 2.0, 5.0], 0.2)]
)
def test_loss_is_that_of_torch(weights: list[float] | None, smoothing: float, tokenizer: Any) -> None:
    options = {"class_weights": weights, "label_smoothing": smoothing}
    model, data = make(Backbone(config=config("bert"), dropout=0.0), tokenizer, **options), batch()
    logits = model(**model.network_inputs(data)).logits
    output = model.step(data, "train")
    tensor = torch.tensor(weights) if weights else None
    expected = F.cross_entropy(logits, data["labels"], tensor, label_smoothing=smoothing)
    torch.testing.assert_close(output.loss / output.count, expected)
    plain = model.step(data, "val")
    torch.testing.assert_close(plain.loss / plain.count, F.cross_entropy(logits, data["labels"]))


def test_balanced_weights_are_inverse_to_the_counts(tokenizer: Any) -> None:
    model = TextClassification(Backbone(config=config("bert")), labels=["a", "b"], class_weights="balanced")
    model.tokenizer = tokenizer

    class Data:
        label_counts = (30, 10)
        labels = ("a", "b")

    class Trainer:
        datamodule = Data()
        lightning_module = None

    model._trainer = Trainer()  # type: ignore[assignment]
    model.build()
    assert model.weights.tolist() == pytest.approx([40 / 60, 40 / 20])
    with pytest.raises(InputError, match="3 entries for 2 labels"):
        make(Backbone(config=config("bert")), tokenizer, ["a", "b"], class_weights=[1.0, 2.0, 3.0])


def test_scores_are_those_of_scikit_learn(tokenizer: Any) -> None:
    model = make(Backbone(config=config("bert")), tokenizer)
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(50, 3, generator=generator), torch.randint(0, 3, (50,), generator=generator)
    scores: Any = model.metrics.of("val")
    for part in torch.arange(50).split(7):
        scores.update(logits[part], targets[part])
    found, guess = {k: float(v) for k, v in scores.compute().items()}, logits.argmax(-1)
    assert found["val/accuracy"] == pytest.approx(accuracy_score(targets, guess))
    assert found["val/f1"] == pytest.approx(f1_score(targets, guess, average="macro"))
    assert found["val/f1_weighted"] == pytest.approx(f1_score(targets, guess, average="weighted"))
    assert found["val/mcc"] == pytest.approx(matthews_corrcoef(targets, guess), abs=1e-6)
    assert "val/f1_binary" not in found
    two = make(Backbone(config=config("bert")), tokenizer, ["no", "yes"])
    logits, targets = logits[targets < 2, :2], targets[targets < 2]
    two.metrics.of("val").update(logits, targets)
    found = {k: float(v) for k, v in two.metrics.of("val").compute().items()}
    assert found["val/f1_binary"] == pytest.approx(f1_score(targets, logits.argmax(-1), average="binary"))


def test_a_head_of_another_label_order_is_reordered_and_of_other_labels_left(
    encoder: Path, tokenizer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = make(str(encoder), tokenizer, ["neg", "neutral", "pos"])
    first.eval()
    torch.nn.init.normal_(first.model.classifier.weight)
    first.save_pretrained(tmp_path / "out")
    inputs = first.network_inputs(batch())
    expected = first(**inputs).logits
    same = make(str(tmp_path / "out"), tokenizer, ["neg", "neutral", "pos"])
    assert not same.weight_report.head_is_new  # type: ignore[union-attr]
    turned = make(str(tmp_path / "out"), tokenizer, ["pos", "neg", "neutral"])
    turned.eval()
    torch.testing.assert_close(turned(**inputs).logits, expected[:, [2, 0, 1]])
    assert turned.model.config.id2label == {0: "pos", 1: "neg", 2: "neutral"}
    with caplog.at_level("INFO"):
        other = make(str(tmp_path / "out"), tokenizer, ["x", "y", "z"])
    assert "it starts anew" in caplog.text
    assert other.weight_report.head_is_new  # type: ignore[union-attr]
    other.eval()
    assert not torch.allclose(other(**inputs).logits, expected)
    fewer = make(str(tmp_path / "out"), tokenizer, ["x", "y"])
    assert fewer(**inputs).logits.shape == (8, 2)


def test_labels_must_be_known_and_agree(encoder: Path, tokenizer: Any) -> None:
    unknown = TextClassification(str(encoder))
    with pytest.raises(InputError, match="needs label names"):
        unknown.build()
    with pytest.raises(InputError, match="one class only"):
        make(str(encoder), tokenizer, ["a"])
    model = TextClassification(str(encoder), labels=["a", "b"])

    class Data:
        labels = ("b", "a")
        tokenizer = None

    with pytest.raises(InputError, match=r"disagree: the model has \[a, b\], the data \[b, a\]"):
        model.prepare(Data())


def test_several_labels_and_numbers_are_those_of_torch_and_scikit_learn(tokenizer: Any) -> None:
    data = batch()
    several = make(Backbone(config=config("bert"), dropout=0.0), tokenizer, problem="multi")
    logits = several(**several.network_inputs(data)).logits
    targets = (torch.rand(8, 3, generator=torch.Generator().manual_seed(3)) < 0.5).float()
    output = several.step({**data, "labels": targets}, "train")
    torch.testing.assert_close(output.loss / output.count, F.binary_cross_entropy_with_logits(logits, targets))
    scores: Any = several.metrics.of("val")
    scores.update(output.predictions, output.targets)
    found, guess = {k: float(v) for k, v in scores.compute().items()}, logits.sigmoid() > 0.5
    assert found["val/f1"] == pytest.approx(f1_score(targets, guess, average="macro", zero_division=0))
    assert found["val/f1_micro"] == pytest.approx(f1_score(targets, guess, average="micro", zero_division=0))
    assert found["val/accuracy"] == pytest.approx(accuracy_score(targets, guess))
    assert several.monitor == "val/f1"

    number = make(Backbone(config=config("bert"), dropout=0.0), tokenizer, ["score"], problem="regression")
    targets = torch.linspace(0, 5, 8)
    output = number.step({**data, "labels": targets}, "val")
    logits = number(**number.network_inputs(data)).logits.squeeze(-1)
    torch.testing.assert_close(output.loss / output.count, F.mse_loss(logits, targets))
    scores = number.metrics.of("val")
    scores.update(output.predictions, output.targets)
    found = {k: float(v) for k, v in scores.compute().items()}
    assert found["val/pearson"] == pytest.approx(pearsonr(targets, logits.detach())[0], abs=1e-4)
    assert found["val/spearman"] == pytest.approx(spearmanr(targets, logits.detach())[0], abs=1e-4)
    assert number.monitor == "val/pearson"


TEXTS = [f"{sentence(i)} {'good' if i % 2 else 'bad'} {'film' if i % 3 else 'book'}" for i in range(60)]


@pytest.mark.parametrize(
    ("problem", "labels", "monitor"),
    [
        ("multi", [["good", "film"][: 1 + (i % 3 > 0)] if i % 2 else ["film"][: i % 3] for i in range(60)], "val/f1"),
        ("regression", [i % 2 + 0.5 * (i % 3) for i in range(60)], "val/pearson"),
    ],
)
def test_other_problems_from_the_command_line(
    problem: str, labels: list[Any], monitor: str, encoder: Path, run: Callable[..., Any]
) -> None:
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, labels, strict=True)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    args += ["--data.train_files=rows.jsonl", "--name=other", "--data.batch_size=8"]
    cli = run("fit", *args, "--trainer.max_epochs=25", "--model.learning_rate=3e-3", "--early_stopping=null")
    assert cli.model.problem == problem
    assert cli.trainer.checkpoint_callback.monitor == monitor
    assert float(cli.trainer.checkpoint_callback.best_model_score) > 0.7
    tested = run("test", *args, "--data.test_files=rows.jsonl").trainer.callback_metrics
    assert float(tested["test/f1_tuned" if problem == "multi" else "test/spearman"]) > 0.8
    thresholds = run("predict", *args, f"--data.predict_texts={json.dumps(TEXTS[:9])}").model.thresholds
    for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines():
        found = json.loads(line)
        if problem == "regression":
            assert isinstance(found["prediction"], float)
        else:
            chances = zip(found["probabilities"].items(), thresholds.tolist(), strict=True)
            assert found["prediction"] == [name for (name, chance), threshold in chances if chance >= threshold]
    config = json.loads((cli.run.folder / "export/config.json").read_text())
    assert config["problem_type"] == ("regression" if problem == "regression" else "multi_label_classification")


def test_very_many_labels_have_no_confusion_matrix(tokenizer: Any) -> None:
    model = make(Backbone(config=config("bert")), tokenizer, labels=[f"l{i}" for i in range(1001)])
    assert model.confusion is None
    model.step(batch(), "test")
    assert model.details() == {"confusion_matrix": "left out: 1,001 labels, more than 1,000"}
