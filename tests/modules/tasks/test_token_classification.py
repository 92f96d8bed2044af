from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from tests_support import sentence

from pretune.cli.commands.compare import compare
from pretune.modules import Backbone, TokenClassification


def test_loss_and_gradient_are_those_of_the_hugging_face_head(tokenizer: Any, tiny: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = TokenClassification(Backbone(config=tiny, dropout=0.0), labels=["O", "B-A", "I-A"])
    model.tokenizer = tokenizer
    model.build()
    ids = torch.randint(5, 90, (4, 10))
    labels = torch.randint(0, 3, (4, 10))
    labels[:, ::3] = -100
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    output = model.step(batch, "train")
    (output.loss / output.count).backward()
    mine = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    theirs = model.model(**batch).loss
    theirs.backward()
    torch.testing.assert_close(output.loss / output.count, theirs)
    for name, parameter in model.model.named_parameters():
        if name in mine:
            torch.testing.assert_close(mine[name], parameter.grad, atol=1e-6, rtol=1e-5)


def rows() -> list[dict[str, Any]]:
    found = []
    for i in range(40):
        tokens = sentence(i, 14).removesuffix(".").split()
        tags = ["B-ART" if t in ("film", "book", "song") else "O" for t in tokens]
        tags = [
            "I-ART" if tag == "O" and i and tags[i - 1] == "B-ART" and tokens[i] in ("is", "was", "ends") else tag
            for i, tag in enumerate(tags)
        ]
        found.append({"tokens": tokens, "ner_tags": tags})
    return found


@pytest.mark.parametrize("length", [64, 10])
def test_from_the_command_line(length: int, encoder: Path, run: Callable[..., Any]) -> None:
    data = rows()
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=TokenClassification", f"--model.backbone={encoder}", "--data=TokenClassificationDataModule"]
    args += ["--name=ner", "--data.train_files=rows.jsonl", "--data.batch_size=8", f"--data.max_length={length}"]
    cli = run("fit", *args, "--trainer.max_epochs=15", "--model.learning_rate=3e-3")
    assert cli.trainer.checkpoint_callback.monitor == "val/f1"
    assert float(cli.trainer.checkpoint_callback.best_model_score) > 0.95
    scores = [
        run("test", *args, "--data.test_files=rows.jsonl", f"--data.batch_size={size}").trainer.callback_metrics
        for size in (1, 7)
    ]
    assert scores[0]["test/f1"] == scores[1]["test/f1"]
    Path("rows.jsonl").rename("held_out.jsonl")
    without = run(
        "test", *args, "--data.test_files=held_out.jsonl"
    ).trainer.callback_metrics  # the training file is gone
    assert without["test/f1"] == scores[0]["test/f1"]
    Path("held_out.jsonl").rename("rows.jsonl")
    torch.testing.assert_close(scores[0]["test/loss"], scores[1]["test/loss"], atol=1e-5, rtol=1e-4)
    assert json.loads((cli.run.folder / "summary.json").read_text())["test"]["entities"]["ART"]["support"] > 10
    run("predict", *args, "--data.predict_files=rows.jsonl")
    found = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    guess = [row["prediction"] for row in found]
    expected = f1_score([row["ner_tags"] for row in data], guess, mode="strict", scheme=IOB2)
    assert float(scores[0]["test/f1"]) == pytest.approx(expected, abs=1e-6)
    for row, plain in zip(found, data, strict=True):
        text = " ".join(plain["tokens"])
        for entity in row["entities"]:
            assert text[entity["start"] : entity["end"]] == entity["text"]
            assert 0 < entity["score"] <= 1
    run("predict", *args, '--data.predict_texts=["The old film, the book."]')
    (line,) = (cli.run.folder / "predictions-2.jsonl").read_text().splitlines()
    assert [entity["text"] for entity in json.loads(line)["entities"]][:1] in (["film"], ["film,"], [])


def test_parts_of_speech_from_the_command_line(encoder: Path, run: Callable[..., Any]) -> None:
    kinds = {"the": "DT", "a": "DT", "one": "DT", "film": "NN", "book": "NN", "song": "NN", "story": "NN"}
    data = []
    for i in range(40):
        tokens = sentence(i, 9).removesuffix(".").split()
        data.append({"tokens": tokens, "pos_tags": [kinds.get(token, "X") for token in tokens]})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=TokenClassification", f"--model.backbone={encoder}", "--data=TokenClassificationDataModule"]
    args += ["--name=pos", "--data.train_files=rows.jsonl", "--data.batch_size=8"]
    cli = run("fit", *args, "--trainer.max_epochs=8", "--model.learning_rate=3e-3")
    assert cli.trainer.checkpoint_callback.monitor == "val/accuracy"
    config = json.loads((cli.run.folder / "export/config.json").read_text())
    assert config["id2label"] == {"0": "DT", "1": "NN", "2": "X"}
    score = run("test", *args, "--data.test_files=rows.jsonl").trainer.callback_metrics["test/accuracy"]
    run("predict", *args, "--data.predict_files=rows.jsonl")
    found = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    pairs = [p for row in found for p in zip(row["prediction"], row["pos_tags"], strict=True)]
    assert float(score) == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert float(score) > 0.9
    assert "entities" not in found[0]
    told = compare("runs/pos", "runs/pos", label="pos_tags", resamples=20)
    assert (told["metric"], told["scores"][0]) == ("tag_accuracy", pytest.approx(float(score)))
    run("predict", *args, '--data.predict_texts=["the old film"]')  # of an encoder that knows what its labels are
    (line,) = (cli.run.folder / "predictions-2.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert (row["words"], row["prediction"]) == (["the", "old", "film"], ["DT", "X", "NN"])
