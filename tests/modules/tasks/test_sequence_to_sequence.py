from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from tests_support import sentence

from pretune.datamodules.sequence_to_sequence import SequenceToSequenceDataModule
from pretune.errors import InputError
from pretune.modules import Backbone
from pretune.modules.tasks.sequence_to_sequence import SequenceToSequence

MODEL = "--model=pretune.modules.tasks.sequence_to_sequence.SequenceToSequence"
DATA = "--data=pretune.datamodules.sequence_to_sequence.SequenceToSequenceDataModule"
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
ROWS = [{"source": sentence(i, 3 + i % 5), "target": sentence(5 * i + 1, 1 + i % 4)} for i in range(24)]


def make(backbone: str, tokenizer: Any, **options: Any) -> SequenceToSequence:
    torch.manual_seed(0)
    model = SequenceToSequence(
        Backbone(config={"model_type": backbone, **BACKBONES[backbone][1]}, dropout=0.0), **options
    )
    model.tokenizer = tokenizer
    model.build()
    return model


def batch(one_row: bool) -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (4, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[2:, 9:] = 0
    labels = ids.clone() if one_row else torch.randint(5, 90, (4, 6), generator=torch.Generator().manual_seed(2))
    if one_row:
        labels[:, :5] = -100
        labels[0, 5:8] = -100
        labels[mask == 0] = -100
    else:
        labels[1, 2:] = -100
        labels[3, 5:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize("backbone", ["t5", "bart", "mbart", "pegasus", "gpt2", "llama"])
def test_loss_and_gradient_are_those_of_hugging_face(backbone: str, tokenizer: Any) -> None:
    model = make(backbone, tokenizer)
    data = batch(one_row=not model.model.config.is_encoder_decoder)
    output = model.step(data, "train")
    (output.loss / output.count).backward()
    mine = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    model.zero_grad()
    theirs = model.model(**data).loss
    theirs.backward()
    torch.testing.assert_close(output.loss / output.count, theirs)
    assert output.count == (data["labels"] != -100).sum()
    for name, parameter in model.model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(mine[name], parameter.grad, atol=1e-6, rtol=1e-5)


def test_label_smoothing_is_for_training_alone(tokenizer: Any) -> None:
    plain, smooth = make("t5", tokenizer), make("t5", tokenizer, label_smoothing=0.1)
    data = batch(False)
    assert torch.equal(plain.step(data, "val").loss, smooth.step(data, "val").loss)
    with torch.no_grad():
        logits = smooth.model(**data).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), data["labels"].flatten(), reduction="sum", label_smoothing=0.1
    )
    torch.testing.assert_close(smooth.step(data, "train").loss, expected)
    with pytest.raises(InputError, match="label_smoothing is 1"):
        make("t5", tokenizer, label_smoothing=1.0)


def test_sources_end_where_targets_begin(tokenizer: Any) -> None:
    model = make("gpt2", tokenizer)
    _, mask = model._sources(batch(True))
    assert mask.sum(1).tolist() == [8, 5, 5, 5]
    bare = {key: value for key, value in batch(True).items() if key != "labels"}
    assert model._sources(bare)[1].sum(1).tolist() == [12, 12, 9, 9]


@pytest.mark.parametrize("backbone", ["t5", "gpt2"])
def test_padding_on_either_side_changes_nothing(backbone: str, tokenizer: Any) -> None:
    """Also not which rows are beside one."""
    model = make(backbone, tokenizer, generation={"max_new_tokens": 6, "num_beams": 3})
    right = {key: value for key, value in batch(True).items() if key != "labels"}
    together = model.predict_step(right, 0)
    alone = [
        model.predict_step({"input_ids": ids[mask.bool()][None], "attention_mask": mask[mask.bool()][None]}, 0)[0]
        for ids, mask in zip(right["input_ids"], right["attention_mask"], strict=True)
    ]
    assert together == alone
    if backbone == "gpt2":
        left = {key: value.flip(1) for key, value in right.items()}
        left["input_ids"][2:] = torch.cat([left["input_ids"][2:, :3], left["input_ids"][2:, 3:].flip(1)], 1)
        left["input_ids"][:2] = right["input_ids"][:2]
        assert model.predict_step(left, 0) == together


def learn(folder: Path, backbone: str, run: Callable[..., Any], *more: str) -> tuple[Any, tuple[str, ...]]:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    config = {"model_type": backbone, **BACKBONES[backbone][1]}
    args = (
        MODEL,
        f"--model.backbone={json.dumps({'config': config, 'dropout': 0.0})}",
        "--model.generation={max_new_tokens: 12, num_beams: 2}",
        DATA,
        f"--data.tokenizer={folder}",
        "--data.separator=' is '",
        "--data.batch_size=8",
        "--name=s2s",
    )
    files = ("--data.train_files=rows.jsonl", "--data.validation_files=rows.jsonl")
    fit = ("--model.learning_rate=1e-2", "--model.warmup=0.1", "--early_stopping=null", "--trainer.precision=32-true")
    return run("fit", *args, *files, *fit, *more), args


@pytest.mark.parametrize("backbone", ["t5", "gpt2"])
def test_targets_are_learned_by_heart_from_the_command_line(
    backbone: str, tokenizer_folder: Path, run: Callable[..., Any]
) -> None:
    epochs = "--trainer.max_epochs=100", "--trainer.check_val_every_n_epoch=25"
    cli, args = learn(tokenizer_folder, backbone, run, *epochs)
    assert cli.model.monitor == "val/loss"
    assert float(cli.trainer.checkpoint_callback.best_model_score) < 0.1
    run("predict", *args, "--data.predict_files=rows.jsonl")
    lines = (cli.run.folder / "predictions.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    tokenizer = cli.model.tokenizer
    # as the tokenizer's decoder spaces it
    expected = [tokenizer.decode(tokenizer(row["target"], add_special_tokens=False)["input_ids"]) for row in ROWS]
    assert [row["prediction"] for row in found] == expected
    run("test", *args, "--data.test_files=rows.jsonl")
    scores = json.loads((cli.run.folder / "summary.json").read_text())["test"]
    written = [row["prediction"] for row in found]
    wanted = [row["target"] for row in ROWS]
    assert scores["test/bleu"] == pytest.approx(BLEU().corpus_score(written, [wanted]).score, rel=1e-5)
    assert scores["test/chrf"] == pytest.approx(CHRF().corpus_score(written, [wanted]).score, rel=1e-5)
    rouge = RougeScorer(["rouge1"], use_stemmer=True)
    mean = sum(rouge.score(a, b)["rouge1"].fmeasure for a, b in zip(wanted, written, strict=True)) / len(ROWS)
    assert scores["test/rouge1"] == pytest.approx(mean, rel=1e-5)
    assert {"test/loss", "test/perplexity", "test/rouge2", "test/rougeL", "test/rougeLsum", "test/exact_match"} <= {
        *scores
    }
    # transformers alone, from the export
    import transformers

    plain = getattr(transformers, cli.model.auto_class).from_pretrained(cli.run.folder / "export").eval()
    again = transformers.AutoTokenizer.from_pretrained(cli.run.folder / "export")
    assert type(plain).__name__ == {"t5": "T5ForConditionalGeneration", "gpt2": "GPT2LMHeadModel"}[backbone]
    if backbone == "t5":
        ids = plain.generate(
            **again(ROWS[3]["source"], return_tensors="pt", return_token_type_ids=False), max_new_tokens=12, num_beams=2
        )
        assert again.decode(ids[0], skip_special_tokens=True).strip() == expected[3]


def data_for(tokenizer_folder: Path, size: int) -> SequenceToSequenceDataModule:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    files = {"validation_files": "rows.jsonl", "test_files": "rows.jsonl", "predict_files": "rows.jsonl"}
    return SequenceToSequenceDataModule(
        train_files="rows.jsonl", **files, tokenizer=str(tokenizer_folder), batch_size=size, separator=" is "
    )


@pytest.mark.parametrize("backbone", ["bart", "gpt2"])
def test_batch_sizes_change_nothing(backbone: str, tokenizer_folder: Path, tokenizer: Any) -> None:
    torch.manual_seed(0)
    found = []
    for size in (1, 7):
        model = make(backbone, tokenizer, generation={"max_new_tokens": 4, "num_beams": 2}, generate_in_validation=True)
        trainer = Trainer(**QUIET, limit_test_batches=1.0)
        validated = trainer.validate(model, data_for(tokenizer_folder, size), verbose=False)[0]
        tested = trainer.test(model, data_for(tokenizer_folder, size), verbose=False)[0]
        assert {name.replace("val/", "test/") for name in validated} == {*tested}
        assert all(validated[name.replace("test/", "val/")] == pytest.approx(tested[name]) for name in tested)
        found.append(tested)
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_nothing_is_written_in_validation_unless_wanted(tokenizer_folder: Path, tokenizer: Any) -> None:
    found = Trainer(**QUIET).validate(make("t5", tokenizer), data_for(tokenizer_folder, 8), verbose=False)[0]
    assert {*found} == {"val/loss", "val/perplexity", "val/accuracy"}


def test_scores_begin_anew(tokenizer_folder: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, trainer = make("t5", tokenizer, generate_in_validation=True), Trainer(**QUIET)
    data = data_for(tokenizer_folder, 24)
    monkeypatch.setattr(model, "write", lambda ids, mask: [""] * len(ids))
    assert trainer.validate(model, data, verbose=False)[0]["val/exact_match"] == 0
    monkeypatch.setattr(model, "write", lambda ids, mask: data.references("validation", range(24)))
    data.group_by_length = False
    assert trainer.validate(model, data, verbose=False)[0]["val/exact_match"] == 1


def test_without_our_datamodule_labels_are_the_references(tokenizer: Any) -> None:
    model = make("t5", tokenizer, generation={"max_new_tokens": 4, "num_beams": 1})
    loader = torch.utils.data.DataLoader([batch(False)], batch_size=None)
    tested = Trainer(**QUIET).test(model, loader, verbose=False)[0]
    data = batch(False)
    written = model.write(data["input_ids"], data["attention_mask"])
    wanted = [tokenizer.decode(row[row != -100], skip_special_tokens=True) for row in data["labels"]]
    assert tested["test/chrf"] == pytest.approx(CHRF().corpus_score(written, [wanted]).score, rel=1e-5)


def test_tokens_that_begin_what_is_written(tokenizer: Any) -> None:
    model = make("mbart", tokenizer, generation={"max_new_tokens": 3, "num_beams": 1, "forced_bos_token_id": "film"})
    data = batch(False)
    assert all(text.startswith("film") for text in model.write(data["input_ids"], data["attention_mask"]))
    model = make("mbart", tokenizer, generation={"forced_bos_token_id": "xx_YY"})
    with pytest.raises(InputError, match="forced_bos_token_id is 'xx_YY', which the tokenizer does not know"):
        model.write(data["input_ids"], data["attention_mask"])


def test_dead_ends(tokenizer: Any, tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=r"`generate` has no option 'beams'"):
        make("t5", tokenizer, generation={"beams": 4})
    with pytest.raises(
        InputError, match=r"t5, bart, .* gpt2, .* would work\), but bert .* MaskedLanguageModeling trains"
    ):
        make("bert", tokenizer)
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    for backbone, sizes, message in (
        ("bart", {"max_position_embeddings": 32}, "data.max_target_length is 40, but bart .* at most 32 tokens"),
        ("gpt2", {"n_positions": 32}, r"data.max_length \+ data.max_target_length is 4 \+ 40, but gpt2"),
    ):
        config = {"model_type": backbone, **BACKBONES[backbone][1], **sizes}
        data = SequenceToSequenceDataModule(
            train_files="rows.jsonl", tokenizer=str(tokenizer_folder), batch_size=4, max_target_length=40, separator=" "
        )
        with pytest.raises(InputError, match=message):
            Trainer(**QUIET, max_steps=1).fit(SequenceToSequence(Backbone(config=config)), data)
    config = {"model_type": "gpt2", **BACKBONES["gpt2"][1], "n_positions": 32}
    data = SequenceToSequenceDataModule(train_files="rows.jsonl", tokenizer=str(tokenizer_folder), batch_size=4)
    Trainer(**QUIET, max_steps=1, num_sanity_val_steps=0).fit(SequenceToSequence(Backbone(config=config)), data)
    assert (data.longest, data.longest_target) == (16, 16)


def test_adapters_alone_learn_and_merge(tokenizer: Any, tmp_path: Path) -> None:
    import transformers

    make("t5", tokenizer).save_pretrained(tmp_path / "base")
    model = SequenceToSequence(Backbone(str(tmp_path / "base"), dropout=0.0, lora={"r": 4}))
    model.build()
    learning = [name for name, p in model.model.named_parameters() if p.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    with torch.no_grad():
        for name, parameter in model.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    model.eval()
    model.save_pretrained(tmp_path / "merged")
    plain = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "merged").eval()
    with torch.no_grad():
        torch.testing.assert_close(
            plain(**batch(False)).logits, model.model(**batch(False)).logits, atol=1e-3, rtol=1e-4
        )
