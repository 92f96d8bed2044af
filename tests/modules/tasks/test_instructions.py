from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from chat_templates import CHATML
from lightning.pytorch import Trainer
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from tests_support import sentence

from pretune.contracts import Stored
from pretune.datamodules.instructions import InstructionDataModule
from pretune.errors import InputError
from pretune.modules import Backbone
from pretune.modules.tasks.instructions import InstructionTuning
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

MODEL = "--model=pretune.modules.tasks.instructions.InstructionTuning"
DATA = "--data=pretune.datamodules.instructions.InstructionDataModule"
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}
DECODERS = [name for name, (family, _) in BACKBONES.items() if family == "decoder"]
ROWS = [{"instruction": sentence(i, 2 + i % 3), "output": sentence(5 * i + 1, 1 + i % 4)} for i in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer with the end of text of GPT-2 and the turns of ChatML."""
    folder = tmp_path_factory.mktemp("bytelevel")
    texts = [sentence(i, 12) for i in range(99)] + ["### Instruction:\n ### Response:\nuser assistant\n"] * 9
    train_tokenizer(TrainTokenizer("bytelevel", 400, min_frequency=1), iter(texts), folder)
    tokenizer: Any = load_tokenizer(str(folder))
    tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def own(folder: Path) -> Any:
    return load_tokenizer(str(folder))


def make(backbone: str, tokenizer: Any, **options: Any) -> InstructionTuning:
    torch.manual_seed(0)
    model = InstructionTuning(
        Backbone(config={"model_type": backbone, **BACKBONES[backbone][1]}, dropout=0.0), **options
    )
    model.tokenizer = tokenizer
    model.build()
    return model


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (4, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[2:, 9:] = 0
    labels = ids.clone()
    labels[:, :5] = -100
    labels[0, 7:9] = -100  # another turn
    labels[mask == 0] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def packed(rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    real = rows["attention_mask"].bool()
    lengths = real.sum(1)
    return {
        "input_ids": rows["input_ids"][real][None],
        "labels": rows["labels"][real][None],
        "position_ids": torch.cat([torch.arange(int(n)) for n in lengths])[None],
        "cu_seq_lens": torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).int(),
    }


@pytest.mark.parametrize("backbone", DECODERS)
def test_loss_and_gradient_are_those_of_hugging_face_padded_and_packed(backbone: str, own: Any) -> None:
    model, data = make(backbone, own), batch()
    expected = model.model(**data).loss
    expected.backward()
    theirs = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    for rows in (data, packed(data)):
        model.zero_grad()
        output = model.step(rows, "train")
        assert output.count == (data["labels"] != -100).sum()
        (output.loss / output.count).backward()
        torch.testing.assert_close(output.loss / output.count, expected)
        for name, parameter in model.model.named_parameters():
            if name in theirs:
                torch.testing.assert_close(theirs[name], parameter.grad, atol=1e-6, rtol=1e-5)


def test_what_is_asked_is_no_target(own: Any) -> None:
    model, data = make("llama", own), batch()
    model.eval()
    first = model.step(data, "val")
    assert torch.autograd.grad(first.loss, model.model.lm_head.weight)[0].abs().sum() > 0
    data["labels"][0, 5:] = -100
    fewer = model.step(data, "val")
    assert fewer.count == first.count - 5
    assert fewer.loss < first.loss


@pytest.mark.parametrize("template", ["plain", CHATML])
def test_where_writing_stops(template: str, folder: Path) -> None:
    data = InstructionDataModule(tokenizer=str(folder), predict_texts="a", chat_template=template)
    data.setup("predict")
    model = make("gpt2", data.tokenizer)
    names = model.tokenizer.convert_ids_to_tokens(model.stop_ids())
    assert names == (["<|endoftext|>"] if template == "plain" else ["<|im_end|>", "<|endoftext|>"])
    found = model.model.generation_config.eos_token_id
    assert found == (model.stop_ids()[0] if template == "plain" else model.stop_ids())


@pytest.mark.parametrize(("template", "packing"), [("plain", True), (CHATML, False)])
def test_answers_are_learned_by_heart_from_the_command_line(
    template: str, packing: bool, folder: Path, run: Callable[..., Any]
) -> None:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    Path("chat.jinja").write_text(template)
    config = {"model_type": "gpt2", **BACKBONES["gpt2"][1]}
    args = (
        MODEL,
        f"--model.backbone={json.dumps({'config': config, 'dropout': 0.0})}",
        "--model.generation={max_new_tokens: 30}",
        DATA,
        f"--data.tokenizer={folder}",
        f"--data.chat_template={'plain' if template == 'plain' else 'chat.jinja'}",
        "--data.max_length=96",
        "--name=tuned",
    )
    files = ("--data.train_files=rows.jsonl", "--data.validation_files=rows.jsonl", f"--data.packing={packing}")
    fit = ("--trainer.precision=32-true", "--trainer.check_val_every_n_epoch=25", "--early_stopping=null")
    steps = ("--trainer.max_epochs=75", "--model.learning_rate=1e-2", f"--data.batch_size={2 if packing else 5}")
    cli = run("fit", *args, *files, *fit, *steps)
    assert cli.model.monitor == "val/loss"
    assert float(cli.trainer.checkpoint_callback.best_model_score) < 0.05
    run("predict", *args, "--data.predict_files=rows.jsonl", "--data.batch_size=7")
    lines = (cli.run.folder / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == [row["output"] for row in ROWS]
    run("predict", *args, f"--data.predict_texts=['{ROWS[3]['instruction']}']")
    assert json.loads((cli.run.folder / "predictions-2.jsonl").read_text())["prediction"] == ROWS[3]["output"]
    # transformers alone: the template is in the export, and so is what stops it
    plain = transformers.AutoModelForCausalLM.from_pretrained(cli.run.folder / "export").eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(cli.run.folder / "export")
    asked = [{"role": "user", "content": ROWS[3]["instruction"]}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    inputs = {key: ids[key] for key in ("input_ids", "attention_mask")}
    found = plain.generate(**inputs, max_new_tokens=30, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(found, skip_special_tokens=True).strip() == ROWS[3]["output"]
    assert found[-1] in cli.model.stop_ids()


def test_batch_sizes_and_packing_change_no_loss(folder: Path, own: Any) -> None:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    found, written = [], []
    for size, packing in ((1, False), (7, False), (2, True)):
        data = InstructionDataModule(
            validation_files="rows.jsonl", predict_files="rows.jsonl", tokenizer=str(folder), batch_size=size,
            packing=packing, max_length=128,
        )  # fmt: skip
        model, trainer = make("llama", own, generation={"max_new_tokens": 5}), Trainer(**QUIET)
        model._trained = True  # it was not, which is refused
        found.append(trainer.validate(model, data, verbose=False)[0])
        written.append([row for rows in trainer.predict(model, data) or [] for row in rows])
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0] == pytest.approx(found[2], rel=1e-5)
    assert {*found[0]} == {"val/loss", "val/perplexity", "val/accuracy"}
    assert sorted(row["prediction"] for row in written[0]) == sorted(row["prediction"] for row in written[1])


@pytest.mark.parametrize("backbone", ["gpt2", "llama"])
def test_adapters_alone_learn_and_merge(backbone: str, folder: Path, own: Any, tmp_path: Path) -> None:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    make(backbone, own).save_pretrained(tmp_path / "base")
    before = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base").state_dict()
    model = InstructionTuning(Backbone(str(tmp_path / "base"), dropout=0.0, lora={"r": 4}), learning_rate=1e-2)
    data = InstructionDataModule(train_files="rows.jsonl", batch_size=4, max_length=96)
    Trainer(**QUIET, max_steps=8, num_sanity_val_steps=0).fit(model, data)
    learning = {name for name, p in model.model.named_parameters() if p.requires_grad}
    assert learning
    assert all("lora_" in name for name in learning)
    for name, value in model.model.state_dict().items():
        if "lora_" not in name:
            assert torch.equal(value, before[name.replace(".base_layer", "")]), name
    model.eval()
    model.save_pretrained(tmp_path / "merged")
    plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    inputs = {key: value for key, value in batch().items() if key != "labels"}
    with torch.no_grad():
        mine, theirs = model.model(**inputs).logits, plain(**inputs).logits
    torch.testing.assert_close(mine, theirs)
    assert any(not torch.equal(value, before[name]) for name, value in plain.state_dict().items())
    # What a checkpoint is rebuilt from learns the same parameters.
    again = InstructionTuning(Backbone(str(tmp_path / "base"), dropout=0.0, lora={"r": 4}))
    again.stored = Stored.of(model.describe())
    again.build()
    assert {name for name, p in again.model.named_parameters() if p.requires_grad} == learning


@pytest.mark.parametrize("backbone", ["bert", "t5"])
def test_what_does_not_write_is_refused(backbone: str, own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backbone, "build", lambda *args, **kwargs: pytest.fail("weights were made"))
    with pytest.raises(InputError, match=rf"needs a decoder \(gpt2, .* would work\), but {backbone} .* trains\."):
        make(backbone, own)


def test_prompts_that_fill_all_positions(own: Any) -> None:
    config = {"model_type": "gpt2", **BACKBONES["gpt2"][1], "n_positions": 12}
    model = InstructionTuning(Backbone(config=config))
    model.tokenizer = own
    model.build()
    data = batch()
    with pytest.raises(InputError, match=r"A prompt has 12 tokens, and gpt2 .* takes at most 12 together"):
        model.predict_step(data, 0)
    assert len(model.predict_step({key: value[2:] for key, value in data.items()}, 0)) == 2
