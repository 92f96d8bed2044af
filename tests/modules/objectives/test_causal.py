from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Trainer
from test_combinations import make  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def built(tokenizer: Any, backbone: str = "gpt2", **options: Any) -> Any:
    model = make("CausalLanguageModeling", backbone, tokenizer, **options)
    model.build()
    return model


def stream(data: CorpusDataModule, split: str = "validation") -> torch.Tensor:
    return torch.from_numpy(data.datasets[split].store.ids[:].astype("int64"))


@pytest.mark.parametrize("stride", [16, 5, 15, 1])
def test_sliding_windows_by_hand(stride: int, corpus: Path, tokenizer_folder: Path, tokenizer: Any) -> None:
    """Every token after the first is predicted once, from as much as its window holds."""
    model = built(tokenizer)
    data = CorpusDataModule(
        str(corpus), tokenizer=str(tokenizer_folder), block_size=16, eval_stride=stride, batch_size=7,
        special_tokens=False, validation_fraction=0.1,
    )  # fmt: skip
    found = Trainer(**QUIET).validate(model, data, verbose=False)[0]
    ids = stream(data)
    model.eval()
    losses = []
    done = 1 if stride < 16 else 0
    for start in range(0, len(ids), stride):
        window = ids[start : start + 16]
        if stride == 16:
            done = start + 1  # windows that do not overlap: the first token of each is not predicted
        with torch.no_grad():
            scores = F.cross_entropy(model.model(window[None]).logits[0, :-1], window[1:], reduction="none")
        losses += scores[done - start - 1 :].tolist()
        done = start + len(window)
        if done >= len(ids):
            break
    assert stride == 16 or len(losses) == len(ids) - 1
    mean = sum(losses) / len(losses)
    assert found["val/loss"] == pytest.approx(mean, rel=1e-5)
    assert found["val/perplexity"] == pytest.approx(math.exp(mean), rel=1e-4)


def test_measures_that_do_not_depend_on_the_tokenizer(corpus: Path, tokenizer_folder: Path, tokenizer: Any) -> None:
    data = CorpusDataModule(
        validation_files=str(corpus), tokenizer=str(tokenizer_folder), block_size=16, eval_stride=8, batch_size=7
    )
    found = Trainer(**QUIET).validate(built(tokenizer), data, verbose=False)[0]
    lines = corpus.read_text().splitlines()
    tokens = len(stream(data))
    total = found["val/loss"] * tokens
    assert found["val/word_perplexity"] == pytest.approx(
        math.exp(total / sum(len(line.split()) for line in lines)), rel=1e-4
    )
    bits = total / math.log(2) / sum(len(line.encode()) for line in lines)
    assert found["val/bits_per_byte"] == pytest.approx(bits, rel=1e-4)


def test_blocks_have_no_special_tokens_around_them_for_this_objective(
    corpus: Path, tokenizer_folder: Path, tokenizer: Any
) -> None:
    model = built(tokenizer)
    data = CorpusDataModule(str(corpus), tokenizer=str(tokenizer_folder), block_size=16, batch_size=4)
    Trainer(max_steps=1, enable_checkpointing=False, **QUIET).fit(model, data)
    batch = data.datasets["train"][[0, 1]]
    assert tokenizer.cls_token_id not in batch["input_ids"]
    assert tokenizer.sep_token_id in batch["input_ids"]  # which ends documents, and is learned


def test_nothing_follows_a_single_token(corpus: Path, tokenizer_folder: Path, fails: Any) -> None:
    args = [
        "--model=CausalLanguageModeling",
        "--model.backbone={config: {model_type: gpt2}}",
        "--data=CorpusDataModule",
    ]
    args += [f"--data.train_files={corpus}", f"--data.tokenizer={tokenizer_folder}", "--data.block_size=1"]
    assert "data.block_size is 1, and a single token has none before it" in fails("fit", *args)


def test_padding_is_no_target(tokenizer: Any) -> None:
    model = built(tokenizer)
    ids = torch.randint(5, 90, (3, 10))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    mask[2, 1:] = 0
    output = model.step({"input_ids": ids, "attention_mask": mask}, "val")
    assert output.count == 9 + 3 + 0


def test_types_are_not_taken_for_words(tokenizer: Any) -> None:
    """GPT-2's own forward adds the embedding of word 0 for token type 0."""
    model = built(tokenizer)
    ids = torch.randint(5, 90, (2, 10))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    typed = {**batch, "token_type_ids": torch.zeros_like(ids)}
    assert torch.equal(model.step(batch, "val").loss, model.step(typed, "val").loss)


@pytest.fixture
def learned(tokenizer: Any) -> Any:
    """A model that has learned one sentence by heart, and to stop after it."""
    model = built(tokenizer, "llama", generation={"do_sample": False, "max_new_tokens": 30})
    text = tokenizer("the small film ends bright.", add_special_tokens=False)["input_ids"]
    end = tokenizer.sep_token_id
    ids = torch.tensor([[end, *text, end, *text, end]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        output = model.step(batch, "val")
        optimizer.zero_grad()
        (output.loss / output.count).backward()
        optimizer.step()
    return model


def test_prompts_are_continued(learned: Any) -> None:
    found = learned.complete(["the small", "", "the small film ends"])
    assert found == ["film ends bright.", "the small film ends bright.", "bright."]
    assert learned.model.training


def test_prompts_of_unequal_length_do_not_disturb_each_other(learned: Any) -> None:
    rows = [[7, 8, 9, 10, 11], [7, 8], []]
    ids, mask = torch.zeros(3, 5, dtype=torch.long), torch.zeros(3, 5, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[i, : len(row)] = 1
    together = learned.predict_step({"input_ids": ids, "attention_mask": mask}, 0)
    alone = [
        learned.predict_step({"input_ids": ids[i : i + 1], "attention_mask": mask[i : i + 1]}, 0)[0] for i in (0, 1)
    ]
    assert together[:2] == alone
    assert together[2]["prediction"] == "the small film ends bright."


def test_where_all_prompts_are_empty_each_begins_a_document(learned: Any) -> None:
    none = torch.zeros(2, 0, dtype=torch.long)
    found = learned.predict_step({"input_ids": none, "attention_mask": none}, 0)
    assert [row["prediction"] for row in found] == ["the small film ends bright."] * 2


def test_samples_and_predictions_on_the_command_line(
    corpus: Path, run: Callable[..., Any], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2}
    args = (
        "--model=CausalLanguageModeling",
        f"--model.backbone={json.dumps({'config': config})}",
        "--data=CorpusDataModule",
        f"--data.train_files={corpus}",
        "--data.tokenizer={train: bytelevel, vocab_size: 300}",
        "--data.block_size=32",
        "--name=lm",
    )
    with caplog.at_level("INFO"):
        cli = run("fit", *args, "--model.prompts=[the film]", "--trainer.max_epochs=1")
    assert "sample: the film" in caplog.text
    events = next((cli.run.folder).glob("events*")).read_bytes()
    assert b"val/samples" in events
    Path("prompts.txt").write_text("the old book\n\na song\n")
    run("predict", *args, "--data.predict_files=prompts.txt")
    rows = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["the old book", "a song"]
    assert all(isinstance(row["prediction"], str) for row in rows)
    run("predict", *args, "--data.predict_texts=['']")
    (row,) = map(json.loads, (cli.run.folder / "predictions-2.jsonl").read_text().splitlines())
    assert row["text"] == ""
    assert isinstance(row["prediction"], str)


def test_what_cannot_be_generated(tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"`generate` has no option 'temperatur'"):
        built(tokenizer, generation={"temperatur": 1.0})
    model = make("CausalLanguageModeling", "gpt2", tokenizer)
    model.backbone.config["n_positions"] = 8
    model.build()
    assert len(model.complete(["the film"])) == 1  # up to the model's 8 places
    with pytest.raises(InputError, match="takes at most 8 together"):
        model.complete(["the film ends and the book begins and the song was one"])
