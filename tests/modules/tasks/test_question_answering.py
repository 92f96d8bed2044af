from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import sentence

from pretune.modules import Backbone, QuestionAnswering
from pretune.text.answers import score


def test_loss_and_gradient_are_those_of_the_hugging_face_head(tokenizer: Any, tiny: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = QuestionAnswering(Backbone(config=tiny, dropout=0.0))
    model.tokenizer = tokenizer
    model.build()
    ids = torch.randint(5, 90, (4, 10))
    places = {"start_positions": torch.tensor([3, 2, -1, 5]), "end_positions": torch.tensor([4, 2, -1, 9])}
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **places}
    output = model.step(batch, "train")
    (output.loss / output.count).backward()
    mine = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    theirs = model.model(**{**batch, **{key: value.clamp(min=0) for key, value in places.items()}}).loss
    theirs.backward()
    torch.testing.assert_close(output.loss / output.count, theirs)
    for name, parameter in model.model.named_parameters():
        if name in mine:
            torch.testing.assert_close(mine[name], parameter.grad, atol=1e-6, rtol=1e-5)
    assert model.monitor == "val/loss"  # nothing knows the answers


def rows(unanswerable: bool) -> list[dict[str, Any]]:
    """What is bright; in some texts nothing is."""
    found = []
    for i in range(40):
        words = [w for w in sentence(i, 24).removesuffix(".").split() if w != "bright"]
        none = unanswerable and i % 4 == 0
        at = 3 + 5 * i % 13
        if not none:
            words[at] = "bright"
        start = len(" ".join(words[:at])) + 1
        answers = {"text": [] if none else [" ".join(words[at : at + 2])], "answer_start": [] if none else [start]}
        found.append({"id": str(i), "context": " ".join(words), "question": "is a book bright", "answers": answers})
    return found


@pytest.mark.parametrize("unanswerable", [False, True])
def test_from_the_command_line(unanswerable: bool, encoder: Path, run: Callable[..., Any]) -> None:
    data = rows(unanswerable)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=QuestionAnswering", f"--model.backbone={encoder}", "--data=QuestionAnsweringDataModule"]
    args += ["--name=qa", "--data.train_files=rows.jsonl", "--data.validation_files=rows.jsonl", "--data.max_length=24"]
    args += ["--data.stride=8", "--data.batch_size=8"]
    cli = run("fit", *args, "--trainer.max_epochs=10", "--model.learning_rate=3e-3", "--early_stopping=null")
    assert cli.trainer.checkpoint_callback.monitor == "val/f1"
    best = float(cli.trainer.checkpoint_callback.best_model_score)
    assert best > 70
    scores = [
        run("test", *args, "--data.test_files=rows.jsonl", f"--data.batch_size={n}").trainer.callback_metrics
        for n in (1, 7)
    ]
    for name in ("test/f1", "test/exact_match"):
        assert float(scores[0][name]) == pytest.approx(float(scores[1][name]), abs=1e-3)
    assert float(scores[0]["test/f1"]) == pytest.approx(best, abs=1e-3)  # at the threshold of the validation
    assert ("test/no_answer_accuracy" in scores[0]) == unanswerable
    model = run("predict", *args, "--data.predict_files=rows.jsonl").model
    lines = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    official = json.loads((cli.run.folder / "predictions.json").read_text())
    assert official == {row["id"]: row["prediction"] for row in lines}
    assert len(official) == 40
    f1 = [score(official[row["id"]], row["answers"]["text"])[1] for row in data]
    assert 100 * sum(f1) / 40 == pytest.approx(float(scores[0]["test/f1"]), abs=1e-3)
    for row in lines:
        assert all(row["context"][n["start"] : n["end"]] == n["text"] for n in row["n_best"])
        assert (row["prediction"] == "") == (row["no_answer_odds"] > float(model.null_threshold))
    config = json.loads((cli.run.folder / "export/config.json").read_text())
    assert ("null_threshold" in config) == unanswerable
