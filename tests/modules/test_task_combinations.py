"""Every task on every backbone: learned by heart, exported and read back by transformers alone, or refused.

The table in docs/compatibility.md is made of what these tests expect; PRETUNE_WRITE_TABLE=1 writes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from test_combinations import BACKBONES, tokens  # type: ignore[import-not-found]

import pretune
from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    InstructionTuning,
    MultipleChoice,
    QuestionAnswering,
    SequenceToSequence,
    TextClassification,
    TokenClassification,
)

Batch = dict[str, torch.Tensor]


def classified() -> Batch:
    return {**tokens(), "labels": torch.arange(6) % 3}


def choices() -> Batch:
    return {key: value.view(3, 2, -1) for key, value in tokens().items()} | {"labels": torch.tensor([0, 1, 1])}


def tagged() -> Batch:
    batch = tokens()
    return {**batch, "labels": (batch["input_ids"] % 3).masked_fill(batch["attention_mask"] == 0, -100)}


def answered() -> Batch:
    first = torch.tensor([3, 5, -1, 2, 7, -1])
    return {**tokens(), "start_positions": first, "end_positions": torch.where(first < 0, first, first + 2)}


def written() -> Batch:
    """The second half of each row follows from the first."""
    batch = tokens()
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[:, :6] = -100
    return {**batch, "labels": labels}


TASKS: dict[str, tuple[Any, dict[str, Any], Callable[[], Batch]]] = {
    "TextClassification": (TextClassification, {"labels": ["a", "b", "c"]}, classified),
    "TokenClassification": (TokenClassification, {"labels": ["O", "B-A", "I-A"]}, tagged),
    "QuestionAnswering": (QuestionAnswering, {}, answered),
    "MultipleChoice": (MultipleChoice, {}, choices),
    "SequenceToSequence": (SequenceToSequence, {}, written),
    "InstructionTuning": (InstructionTuning, {}, written),
}
NO_HEAD = {  # in transformers
    "TextClassification": {"pegasus"},
    "MultipleChoice": {"pegasus"},
    "TokenClassification": {"opt", "bart", "mbart", "pegasus"},
    "QuestionAnswering": {"pegasus"},
}
PAIRS = [(task, backbone) for task in TASKS for backbone in BACKBONES]
REFUSED = {
    (task, backbone)
    for task, backbone in PAIRS
    if backbone in NO_HEAD.get(task, ())
    or (task == "SequenceToSequence" and BACKBONES[backbone][0] == "encoder")
    or (task == "InstructionTuning" and BACKBONES[backbone][0] != "decoder")
}


def make(task: str, backbone: str, tokenizer: Any) -> Any:
    torch.manual_seed(0)
    kind, options, _ = TASKS[task]
    config = {"model_type": backbone, **BACKBONES[backbone][1]}
    if backbone == "mobilebert":
        config["classifier_activation"] = False  # at this size the tanh of its pooler saturates
    model = kind(Backbone(config=config, dropout=0.0), **options)
    model.tokenizer = tokenizer
    return model


@pytest.mark.parametrize(("task", "backbone"), [pair for pair in PAIRS if pair not in REFUSED])
def test_one_batch_is_learned_by_heart_and_read_back(task: str, backbone: str, tokenizer: Any, tmp_path: Path) -> None:
    model = make(task, backbone, tokenizer)
    model.build()
    batch = TASKS[task][2]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    first = last = float("nan")
    for step in range(400):
        output = model.step(batch, "val")
        loss = output.loss / output.count
        last = float(loss.detach())
        first = last if step == 0 else first
        if last < 0.1 * first:
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert last < 0.1 * first, (first, last)

    model.eval()
    model.save_pretrained(tmp_path / "out")
    plain = getattr(transformers, model.auto_class).from_pretrained(tmp_path / "out").eval()
    inputs = model.network_inputs(batch)
    if inputs["input_ids"].ndim == 3 and "MultipleChoice" not in type(plain).__name__:
        inputs = {key: value.flatten(0, 1) for key, value in inputs.items() if key != "use_cache"}
    if task == "SequenceToSequence" and plain.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = batch["input_ids"]
    with torch.no_grad():
        mine, theirs = model.model(**inputs), plain(**inputs)
    compared = [key for key, value in mine.items() if "logits" in key and isinstance(value, torch.Tensor)]
    assert compared
    for key in compared:  # loaded weights lie elsewhere in memory, which the last bit of a product may show
        torch.testing.assert_close(mine[key], theirs[key], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("task", "backbone"), [pair for pair in PAIRS if pair in REFUSED])
def test_what_cannot_work_is_refused_before_any_weight_is_made(
    task: str, backbone: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as caught:
        make(task, backbone, tokenizer).build()
    message = str(caught.value)
    assert message.count(". ") == 0
    assert message.endswith(".")
    assert "would work" in message


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("backbone", ["gpt2", "llama", "qwen3", "bert", "modernbert", "t5"])
def test_padding_changes_nothing(task: str, backbone: str, tokenizer: Any) -> None:
    """A row gives the same loss alone as beside longer ones."""
    if (task, backbone) in REFUSED:
        pytest.skip("refused")
    model = make(task, backbone, tokenizer)
    model.build()
    model.eval()
    batch = TASKS[task][2]()
    rows = len(batch["input_ids"]) if task != "MultipleChoice" else 3
    with torch.no_grad():
        whole = model.step(batch, "val").loss
        alone = torch.zeros(())
        for i in range(rows):
            row = {key: value[i : i + 1] for key, value in batch.items()}
            length = int(row["attention_mask"].sum(-1).max())
            cut = {
                key: value[..., :length] if value.shape[-1] == batch["input_ids"].shape[-1] else value
                for key, value in row.items()
            }
            alone += model.step(cut, "val").loss
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def table() -> str:
    """The combinations, as Markdown."""
    lines = ["| backbone | " + " | ".join(f"`{name}`" for name in TASKS) + " |", "|---" * (len(TASKS) + 1) + "|"]
    for backbone in BACKBONES:
        cells = ["refused" if (name, backbone) in REFUSED else "yes" for name in TASKS]
        lines.append(f"| {backbone} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def test_the_table_in_the_docs() -> None:
    path = Path(pretune.__file__).parent / "docs" / "compatibility.md"
    found = re.search(r"(<!-- task combinations -->\n)(.*?)(<!-- end -->)", path.read_text(), re.DOTALL)
    assert found is not None
    if os.environ.get("PRETUNE_WRITE_TABLE"):
        text = path.read_text()
        path.write_text(text[: found.start(2)] + table() + text[found.end(2) :])
        return
    assert found[2] == table(), "PRETUNE_WRITE_TABLE=1 pytest tests/modules/test_task_combinations.py -k table"
