"""Exports of runs: what is printed, what is refused, and that predict.py beside a graph says what `predict` does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import WORDS, sentence

from pretune.cli.commands import export_onnx, trained_run
from pretune.cli.commands.export import run_export
from pretune.errors import InputError

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

FIT = (
    "--trainer.max_steps=8", "--model.learning_rate=5e-3", "--early_stopping=null", "--name=mine",
    "--data.batch_size=8", "--trainer.precision=32-true", "--data.train_files=rows.jsonl",
)  # fmt: skip
ALONE = """
import json, runpy, sys
for name in ("torch", "transformers", "lightning", "pretune", "onnx"):
    sys.modules[name] = None  # whoever imports it fails
made = runpy.run_path(sys.argv[1])["predict"](json.loads(sys.argv[2]))
print(json.dumps(made))
"""
"""Predicts where nothing but onnxruntime, tokenizers and numpy can be imported."""


def write_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return rows


def without_torch(folder: str | Path, texts: list[str]) -> list[dict[str, Any]]:
    script = Path(folder, "predict.py")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(script), json.dumps(texts)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def predicted(
    run: Callable[..., Any], args: list[str], folder: Path, name: str = "predictions.jsonl"
) -> list[dict[str, Any]]:
    run("predict", *args, "--name=mine", "--data.predict_files=rows.jsonl", "--trainer.precision=32-true")
    written = Path(name) if Path(name).exists() else folder / name
    return [json.loads(line) for line in written.read_text().splitlines()]


def fitted(
    run: Callable[..., Any], task: str, data: str, encoder: Any, *more: str, held_out: str = "rows.jsonl"
) -> tuple[Path, list[str]]:
    args = [f"--model={task}", f"--model.backbone={encoder}", f"--data={data}", *more]
    return run("fit", *args, *FIT, f"--data.validation_files={held_out}").run.folder, args


def pairs(count: int = 24) -> list[dict[str, Any]]:
    return [
        {"sentence1": sentence(i), "sentence2": f"{sentence(i + 1, 4 + i % 5)} {'good' if i % 3 else 'bad'}"}
        | {"label": ["no", "yes", "maybe"][i % 3]}
        for i in range(count)
    ]


@pytest.fixture
def classifier(encoder: Path, run: Callable[..., Any]) -> tuple[Path, list[str]]:
    write_rows(pairs())
    return fitted(run, "TextClassification", "TextClassificationDataModule", encoder)


def test_a_classifier_is_exported_compared_and_predicts_without_torch(
    classifier: tuple[Path, list[str]], run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, args = classifier
    capsys.readouterr()
    found = run_export(["runs/mine", "--quantize", "int8"])
    printed = capsys.readouterr().out
    assert found["folder"] == "runs/mine/version_0/onnx-int8"
    assert found["metric"] == "val/accuracy"
    assert found["real_rows"]
    assert found["rows"] == 24
    assert found["compared"]["onnx"]["share"] < 1e-4 < found["compared"]["onnx int8"]["share"]
    assert found["scores"]["onnx"] == found["scores"]["torch"]
    assert all(seconds > 0 for times in found["seconds"].values() for seconds in times.values())
    assert "| torch float32 |" in printed
    assert "| val/accuracy | change |" in printed
    assert "Compared on 24 rows of validation" in printed
    assert "val/accuracy of the table: in float32 on the CPU, on up to 256 rows of validation" in printed
    assert "that of the run: in 32-true, on all of them" in printed
    assert not list(Path(found["folder"]).glob("float32*"))
    plain = run_export([str(folder / "checkpoints/best.ckpt"), "--output", "elsewhere"])
    theirs = predicted(run, args, folder)
    mine = without_torch(plain["folder"], [f"{row['sentence1']}\t{row['sentence2']}" for row in theirs])
    for row, other in zip(theirs, mine, strict=True):
        assert row["prediction"] == other["prediction"]
        assert other["probabilities"] == pytest.approx(row["probabilities"], abs=1e-4)
    # a folder that an export has left, outside of its run: no data, no score
    shutil.copytree(folder / "export", "moved")
    again = run_export(["moved"])
    assert again["folder"] == "moved/onnx"
    assert again["metric"] is None
    assert not again["real_rows"]
    assert "rows of made-up tokens" in capsys.readouterr().out
    assert without_torch("moved/onnx", ["the film\tthe book"])[0]["probabilities"] == pytest.approx(
        without_torch("elsewhere", ["the film\tthe book"])[0]["probabilities"], abs=1e-5
    )
    Path("rows.jsonl").unlink()
    assert run_export(["runs/mine", "--output", "third"])["metric"] is None


def test_what_is_too_far_away_is_not_written(
    classifier: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = classifier
    with pytest.raises(InputError, match=r"outputs differ by .* more than 1e-09\. Nothing was written"):
        run_export(["runs/mine", "--tolerance", "1e-9"])
    real = export_onnx._score
    monkeypatch.setattr(export_onnx, "_score", lambda *args: (real(*args) or 0.0) - 0.1)
    with pytest.raises(InputError, match=r"val/accuracy of the onnx graph is .* worse by more than 2\.0% of it"):
        run_export(["runs/mine"])
    assert not list(folder.glob("onnx*"))
    assert run_export(["runs/mine", "--worse", "0.9"])["folder"] == str(folder / "onnx")


def test_thresholds_stay_those_of_the_run(encoder: Path, run: Callable[..., Any]) -> None:
    """A validation finds thresholds anew; what is exported has those of training."""
    rows = [
        {"text": sentence(i), "labels": [w for w in ("film", "book", "old") if w in sentence(i)]} for i in range(24)
    ]
    write_rows(rows)
    folder, args = fitted(run, "TextClassification", "TextClassificationDataModule", encoder)
    made = run_export(["runs/mine", "--rows", "8"])
    assert made["rows"] == 8
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [row["text"] for row in rows])
    assert [row["prediction"] for row in mine] == [row["prediction"] for row in theirs]
    from pretune.checkpoints import read_checkpoint

    stored = read_checkpoint(folder / "checkpoints/best.ckpt")["state_dict"]["thresholds"].tolist()
    assert json.loads(Path(made["folder"], "settings.json").read_text())["thresholds"] == pytest.approx(stored)


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
def test_calibrated_probabilities_are_those_of_predict(many: bool, encoder: Path, run: Callable[..., Any]) -> None:
    rows: list[dict[str, Any]] = [{"text": row["sentence2"], "label": row["label"]} for row in pairs(120)]
    if many:
        rows = [{"text": row["text"], "labels": [row["label"]]} for row in rows]
    Path("held_out.jsonl").write_text("\n".join(map(json.dumps, rows[60:])))
    rows = write_rows(rows[:60])
    kind = "TextClassification"
    more = ("--model.calibrate=temperature",)
    folder, args = fitted(run, kind, f"{kind}DataModule", encoder, *more, held_out="held_out.jsonl")
    temperature = json.loads(Path(folder, "summary.json").read_text())["calibration"]["temperature"]
    assert temperature != pytest.approx(1, abs=0.02)
    made = run_export(["runs/mine"])
    assert made["scores"]["onnx"] == pytest.approx(made["scores"]["torch"], abs=1e-4)
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [row["text"] for row in rows])
    for row, other in zip(mine, theirs, strict=True):
        assert row["prediction"] == other["prediction"]
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1e-4)


def answers(count: int = 16) -> list[dict[str, Any]]:
    found = []
    for i in range(count):
        words = sentence(i, 16).removesuffix(".").split()
        start = len(" ".join(words[:5])) + 1
        answer = {"text": [" ".join(words[5:7])], "answer_start": [start]}
        found.append({"context": " ".join(words), "question": "what is a book", "answers": answer})
    return found


@pytest.mark.slow
def test_answers_without_torch(encoder: Path, run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_rows(answers())
    more = ("--data.max_length=20", "--data.stride=6")
    folder, args = fitted(run, "QuestionAnswering", "QuestionAnsweringDataModule", encoder, *more)
    made = run_export(["runs/mine", "--quantize", "int8", "--worse", "1"])
    assert made["metric"] == "val/f1"
    capsys.readouterr()
    made = run_export(["runs/mine"])
    assert made["rows"] == 16
    printed = capsys.readouterr().out
    assert "| 1 row, ms | 16 rows, ms |" in printed
    assert re.search(r"Compared on 16 rows of validation \((32|48) windows\), in the shapes", printed)
    assert printed.rstrip().endswith("predict.py QUESTION TEXT [QUESTION TEXT ...]")
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [text for row in rows for text in (row["question"], row["context"])])
    assert [row["prediction"] for row in mine] == [row["prediction"] for row in theirs]
    assert [row["no_answer_odds"] for row in mine] == pytest.approx([r["no_answer_odds"] for r in theirs], abs=1e-3)


@pytest.mark.slow
def test_tags_without_torch(encoder: Path, run: Callable[..., Any]) -> None:
    rows = [
        {"text": sentence(i), "spans": [[m, m + 4, "KIND"] for m in [sentence(i).find("film")] if m >= 0]}
        for i in range(24)
    ]
    write_rows(rows)
    folder, args = fitted(run, "TokenClassification", "TokenClassificationDataModule", encoder)
    made = run_export(["runs/mine"])
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [row["text"] for row in rows])
    assert [row["prediction"] for row in mine] == [row["prediction"] for row in theirs]
    assert made["metric"] == "val/f1"
    write_rows([{"text": "नमस्ते दुनिया, e\u0301te\u0301 foo\u200bbar"}, {"text": "வணக்கம் 👍🏽 กี่โมง so\u00adft"}])
    theirs = predicted(run, [*args, "--predictions_file=scripts.jsonl"], folder, "scripts.jsonl")
    for row, other in zip(without_torch(made["folder"], [row["text"] for row in theirs]), theirs, strict=True):
        assert len(row["words"]) == len(row["prediction"]) == len(other["prediction"])


@pytest.mark.slow
def test_choices_without_torch(encoder: Path, run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"ctx": sentence(i), "endings": [f"the {WORDS[(i + j) % 20]} film" for j in range(2 + i % 2)], "label": i % 2}
        for i in range(24)
    ]
    write_rows(rows)
    folder, args = fitted(run, "MultipleChoice", "MultipleChoiceDataModule", encoder)
    capsys.readouterr()
    made = run_export(["runs/mine"])
    assert made["rows"] == 24
    assert list(made["seconds"]["onnx"]) == [1, 24]
    printed = capsys.readouterr().out
    assert "| 1 row, ms | 24 rows, ms |" in printed
    assert "Compared on 24 rows of validation (60 endings), in the shapes" in printed
    assert printed.rstrip().endswith("predict.py CONTEXT ENDING ENDING [ENDING ...]")
    theirs = predicted(run, args, folder)
    for row, other in zip(rows, theirs, strict=True):
        (mine,) = without_torch(made["folder"], [row["ctx"], *row["endings"]])
        assert mine["prediction"] == other["prediction"]
        assert mine["probabilities"] == pytest.approx(other["probabilities"], abs=1e-4)


@pytest.mark.slow
def test_masks_without_torch(encoder: Path, corpus: Path, run: Callable[..., Any]) -> None:
    args = ["--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule"]
    args += ["--data.block_size=32", f"--data.train_files={corpus}", "--name=mine"]
    folder = run("fit", *args, "--trainer.max_steps=8", "--trainer.precision=32-true").run.folder
    made = run_export(["runs/mine"])
    assert made["metric"] == "val/loss"
    assert made["real_rows"]
    texts = ["the old [MASK] ends.", "[MASK] small book was [MASK]"]
    texts += ["the [MASK] film " * 40, "the old book", ""]  # the first is longer than the model
    run("predict", *args, f"--data.predict_texts={json.dumps(texts)}", "--trainer.precision=32-true")
    theirs = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    mine = without_torch(made["folder"], texts)
    assert [row["prediction"] for row in mine] == [row["prediction"] for row in theirs]
    assert [len(row["masks"]) for row in mine] == [1, 2, 40, 0, 0]
    for row, other in zip(mine, theirs, strict=True):
        for words, others in zip(row["masks"], other["masks"], strict=True):
            assert words == pytest.approx(others, abs=1e-4)


DECODER = json.dumps({"config": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 96}})
BOTH = json.dumps(
    {"config": {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2}}
)


@pytest.mark.slow
@pytest.mark.parametrize("packing", [False, True])
def test_continuations_without_torch(
    packing: bool, corpus: Path, tokenizer_folder: Path, run: Callable[..., Any]
) -> None:
    """Also of a corpus whose documents are packed, and with samples after each validation."""
    args = ["--model=CausalLanguageModeling", f"--model.backbone={DECODER}", "--data=CorpusDataModule", "--name=mine"]
    args += [f"--data.tokenizer={tokenizer_folder}", "--data.block_size=32", f"--data.train_files={corpus}"]
    args += ["--model.generation={do_sample: false, max_new_tokens: 8}", f"--data.packing={packing}"]
    fit = ("--trainer.max_steps=8", "--trainer.precision=32-true", "--model.learning_rate=1e-2")
    folder = run("fit", *args, *fit, "--model.prompts=[the film]").run.folder
    made = run_export(["runs/mine"])
    assert made["metric"] == "val/loss"
    texts = ["the old film", "one story"]
    run("predict", *args, f"--data.predict_texts={json.dumps(texts)}", "--trainer.precision=32-true")
    theirs = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    mine = without_torch(made["folder"], texts)
    assert [row["prediction"].strip() for row in mine] == [row["prediction"].strip() for row in theirs]


@pytest.mark.slow
@pytest.mark.parametrize("backbone", [BOTH, DECODER], ids=["t5", "gpt2"])
def test_texts_are_written_without_torch(backbone: str, tokenizer_folder: Path, run: Callable[..., Any]) -> None:
    rows = write_rows([{"source": sentence(i), "target": sentence(i, 3)} for i in range(24)])
    more = ("--model.generation={num_beams: 1, max_new_tokens: 6}", f"--data.tokenizer={tokenizer_folder}")
    folder, args = fitted(run, "SequenceToSequence", "SequenceToSequenceDataModule", backbone, *more)
    made = run_export(["runs/mine"])
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [row["source"] for row in rows])
    assert [row["prediction"].strip() for row in mine] == [row["prediction"] for row in theirs]


@pytest.mark.slow
def test_instructions_are_answered_without_torch(tokenizer_folder: Path, run: Callable[..., Any]) -> None:
    rows = write_rows([{"instruction": sentence(i, 4), "output": sentence(i, 3)} for i in range(24)])
    more = ("--model.generation={max_new_tokens: 6}", f"--data.tokenizer={tokenizer_folder}", "--data.max_length=64")
    folder, args = fitted(run, "InstructionTuning", "InstructionDataModule", DECODER, *more)
    made = run_export(["runs/mine"])
    theirs = predicted(run, args, folder)
    mine = without_torch(made["folder"], [row["instruction"] for row in rows])
    assert [row["prediction"].strip() for row in mine] == [row["prediction"] for row in theirs]


# ---------------------------------------------------------------------- the other formats


def test_adapters_and_whole_weights_are_written_again(
    encoder: Path, run: Callable[..., Any], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    write_rows(pairs())
    lora = json.dumps({"name": str(encoder), "lora": {"r": 2}})
    folder, _ = fitted(run, "TextClassification", "TextClassificationDataModule", lora)
    before = load_file(folder / "export/model.safetensors")
    card = (folder / "export/README.md").read_text()
    capsys.readouterr()
    caplog.clear()
    with caplog.at_level("INFO"):
        assert run_export(["runs/mine", "--format", "safetensors"])["folder"] == str(folder / "export")
    assert (capsys.readouterr().out + caplog.text).count("Exported to ") == 1
    again = load_file(folder / "export/model.safetensors")
    assert before.keys() == again.keys()
    assert all(before[name].equal(again[name]) for name in before)
    assert (folder / "export/README.md").read_text() == card
    run_export(["runs/mine", "--format", "adapters", "--output", "small"])
    assert (
        load_file("small/adapter_model.safetensors").keys()
        == load_file(folder / "adapter/adapter_model.safetensors").keys()
    )


# ---------------------------------------------------------------------- what is refused


def test_mistakes_are_told_in_one_message(classifier: tuple[Path, list[str]], fails: Callable[..., str]) -> None:
    folder, _ = classifier
    assert "There is no file or folder nowhere" in fails("export", "nowhere")
    assert "has no adapters" in fails("export", "runs/mine", "--format", "adapters")
    assert "leave one of them out" in fails("export", "runs/mine", "--format", "safetensors", "--quantize", "int8")
    assert "--rows is 0" in fails("export", "runs/mine", "--rows", "0")
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("mine")
    assert "full is there and is no export" in fails("export", "runs/mine", "--output", "full")
    assert Path("full/thesis.txt").read_text() == "mine"
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("TextClassification\n", "MultipleChoice\n"))
    told = fails("export", "runs/mine")
    assert "TextClassification" in told
    assert "MultipleChoice" in told
    (folder / "config.yaml").unlink()
    export = folder / "export/config.json"
    export.write_text(export.read_text().replace('"TextClassification"', '"SomebodysOwn"'))
    shutil.rmtree(folder / "checkpoints")
    assert "is of a SomebodysOwn, which is no class of this package" in fails("export", "runs/mine")
    assert not list(folder.glob("onnx*"))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]) -> None:
    from pretune.modules.portable import onnx_export

    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None if name == "onnxscript" else object())
    assert "needs the package onnxscript, which is not installed: pip install 'pretune[onnx]'" in fails(
        "export", "runs/x"
    )


def test_nothing_is_left_of_an_export_that_fails(
    classifier: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]
) -> None:
    import torch

    folder, _ = classifier
    before = sorted(path for path in folder.iterdir() if path.suffix != ".lock")

    def cannot(*args: Any, **options: Any) -> None:
        raise RuntimeError("no such operator: aten::strange")

    monkeypatch.setattr(torch.onnx, "export", cannot)
    assert "ONNX cannot carry BertForSequenceClassification" in fails("export", "runs/mine")
    assert sorted(path for path in folder.iterdir() if path.suffix != ".lock") == before


def test_a_run_is_found_by_each_of_its_names(classifier: tuple[Path, list[str]]) -> None:
    folder, _ = classifier
    best = folder / "checkpoints/best.ckpt"
    for name in ("runs/mine", folder, best, folder / "export"):
        found = trained_run.find_run(str(name))
        assert found.weights.resolve() == best.resolve()
        assert found.folder.resolve() == folder.resolve()
        assert type(found.data).__name__ == "TextClassificationDataModule"
