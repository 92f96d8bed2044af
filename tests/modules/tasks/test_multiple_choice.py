from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests_support import sentence

from pretune.datamodules import MultipleChoiceDataModule
from pretune.modules import Backbone, MultipleChoice


def make(tokenizer: Any, tiny: dict[str, Any]) -> MultipleChoice:
    torch.manual_seed(0)
    model = MultipleChoice(Backbone(config=tiny, dropout=0.0))
    model.tokenizer = tokenizer
    model.build()
    return model


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (4, 3, 10), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([0, 2, 1, 1])}


def test_loss_and_gradient_are_those_of_the_hugging_face_head(tokenizer: Any, tiny: dict[str, Any]) -> None:
    model, data = make(tokenizer, tiny), batch()
    output = model.step(data, "train")
    (output.loss / output.count).backward()
    mine = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    theirs = model.model(**data).loss
    theirs.backward()
    torch.testing.assert_close(output.loss / output.count, theirs)
    for name, parameter in model.model.named_parameters():
        if name in mine:
            torch.testing.assert_close(mine[name], parameter.grad, atol=1e-6, rtol=1e-5)


def test_endings_that_are_not_there_play_no_part(tokenizer: Any, tiny: dict[str, Any]) -> None:
    model, data = make(tokenizer, tiny), batch()
    data["choice_mask"] = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 0]])
    scores = model.scores(data)
    assert torch.isinf(scores[2:, 2]).all()
    expected = sum(
        F.cross_entropy(
            model.scores({k: v[i : i + 1, :n] for k, v in data.items() if v.ndim > 1}), data["labels"][i : i + 1]
        )
        for i, n in enumerate((3, 3, 2, 2))
    )
    output = model.step(data, "val")
    torch.testing.assert_close(output.loss, expected)
    assert torch.isfinite(torch.autograd.grad(output.loss, model.model.classifier.weight)[0]).all()
    found = model.predict_step(data, 0)
    assert [len(row["probabilities"]) for row in found] == [3, 3, 2, 2]
    assert all(sum(row["probabilities"]) == pytest.approx(1) for row in found)


def test_fewer_endings_in_some_rows_of_a_datamodule(encoder: Path) -> None:
    """Padding is left out by what was counted of the endings that are there, and changes nothing."""
    rows = [
        {"ctx": sentence(i), "endings": [sentence(i + j, 2 + j) for j in range(2 + i % 3)], "label": i % 2}
        for i in range(8)
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = MultipleChoiceDataModule("rows.jsonl", tokenizer=str(encoder), validation_fraction=0.0, batch_size=8)
    data.prepare_data()
    data.setup("fit")
    batch = data.hints(next(iter(data.loader("train"))))
    assert "choice_mask" in batch
    found = []
    for shortcuts in (True, False):
        torch.manual_seed(0)
        module = MultipleChoice(str(encoder), shortcuts=shortcuts)
        module.build()
        module.take_shortcuts()
        module.eval()
        with torch.no_grad():
            found.append(module.scores(batch))
    torch.testing.assert_close(found[0], found[1])


def test_from_the_command_line(encoder: Path, run: Callable[..., Any]) -> None:
    rows = [
        {
            "ctx": sentence(i),
            "endings": [f"the {'good' if j == i % (2 + i % 2) else 'bad'} film" for j in range(2 + i % 2)],
        }
        | {"label": i % (2 + i % 2)}
        for i in range(48)
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    args = ["--model=MultipleChoice", f"--model.backbone={encoder}", "--data=MultipleChoiceDataModule", "--name=mc"]
    args += ["--data.train_files=rows.jsonl", "--data.batch_size=8"]
    cli = run("fit", *args, "--trainer.max_epochs=12", "--model.learning_rate=2e-3", "--model.monitor=val/loss")
    assert float(cli.trainer.checkpoint_callback.best_model_score) < 0.3
    run("predict", *args, "--data.predict_files=rows.jsonl")
    found = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    assert sum(row["prediction"] == row["label"] for row in found) > 44
    assert (cli.run.folder / "export/model.safetensors").is_file()
