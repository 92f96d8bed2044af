"""Predictions are written as they come, never over earlier ones, and go on where they were stopped."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from lightning.pytorch import Callback, LightningModule, Trainer
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.cli.callbacks import PredictionWriter
from pretune.cli.callbacks.answers import answer, print_answers
from pretune.cli.callbacks.prediction_files import Likeliest, Table, to_json
from pretune.datamodules import (
    CorpusDataModule,
    MultipleChoiceDataModule,
    QuestionAnsweringDataModule,
    TextClassificationDataModule,
    TokenClassificationDataModule,
)
from pretune.errors import InputError
from pretune.modules import (
    Backbone,
    CausalLanguageModeling,
    MaskedLanguageModeling,
    MultipleChoice,
    QuestionAnswering,
    TextClassification,
    TokenClassification,
)

ROWS = 100
TASKS: dict[str, tuple[type[Any], type[Any]]] = {
    "texts": (TextClassification, TextClassificationDataModule),
    "tags": (TokenClassification, TokenClassificationDataModule),
    "answers": (QuestionAnswering, QuestionAnsweringDataModule),
    "choices": (MultipleChoice, MultipleChoiceDataModule),
    "prompts": (CausalLanguageModeling, CorpusDataModule),
    "masks": (MaskedLanguageModeling, CorpusDataModule),
}


def write_rows() -> None:
    rows = []
    for i in range(ROWS):
        text = sentence(i, 4 + 40 * (i % 7 == 0) + i % 9)
        rows.append({"id": f"q{i}", "text": text, "context": text, "question": sentence(i, 3), "n": i})
        rows[-1]["masked"] = " ".join("[MASK]" if j % 5 == i % 5 else word for j, word in enumerate(text.split()))
        rows[-1]["endings"] = [sentence(i + j, 3) for j in range(2 + i % 3)]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


def make(task: str, tokenizer: Path, tiny: dict[str, Any]) -> tuple[Any, Any]:
    module, data = TASKS[task]
    shared: dict[str, Any] = {"predict_files": "rows.jsonl", "tokenizer": str(tokenizer), "batch_size": 2}
    torch.manual_seed(0)
    labels = {"texts": ["a", "b"], "tags": ["O", "B-X", "I-X"]}.get(task)
    named: dict[str, Any] = {"labels": labels} if labels else {}
    if task == "answers":
        shared |= {"max_length": 24, "stride": 4}
    elif task == "tags":
        shared |= {"max_length": 16, "text_column": "text"}
    elif task == "prompts":
        tiny = {"model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 96}
        named = {"generation": {"max_new_tokens": 3}}  # drawn
        shared |= {"block_size": 16}
    elif task == "masks":
        tiny = {**tiny, "max_position_embeddings": 24}  # some texts are longer
        shared |= {"block_size": 16, "text_column": "masked"}
    model = module(Backbone(config=tiny, dropout=0.0), **named)
    model._trained = True  # what is predicted is chance, and the same each time
    return model, data(**shared)


class Dies(Callback):
    """Ends the process, or raises, in the middle of the second stretch."""

    def __init__(self, process: bool) -> None:
        self.process = process

    def on_predict_batch_end(
        self, trainer: Any, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, more: int = 0
    ) -> None:
        steps = enumerate(trainer.datamodule.predict_plan.steps())
        if batch_idx == next(number for number, step in steps if step.closes is not None) + 3:
            if self.process:
                os._exit(9)
            raise RuntimeError("full")


def predict(task: str, tokenizer: Path, tiny: dict[str, Any], folder: str, *more: Callback, **options: Any) -> Path:
    model, data = make(task, tokenizer, tiny)
    writer = PredictionWriter(folder, weights="one", **options)
    writer.save_every = 0
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(callbacks=[writer, *more], default_root_dir=folder, **quiet)
    trainer.predict(model, data, return_predictions=False)
    assert writer.path is not None
    return writer.path


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")  # whose threads are not there in a forked process
    write_rows()


@pytest.mark.parametrize("process", [True, False])
@pytest.mark.parametrize(("task", "kind"), [(t, "jsonl") for t in TASKS] + [("texts", "csv"), ("answers", "csv")])
def test_a_stopped_prediction_goes_on(
    task: str, kind: Any, process: bool, tokenizer_folder: Path, tiny: dict[str, Any]
) -> None:
    given = (task, tokenizer_folder, tiny)
    whole = predict(*given, "whole", format=kind)
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    if kind == "jsonl":
        lines = [json.loads(line) for line in whole.read_text().splitlines()]
        assert [{name: line[name] for name in row} for row, line in zip(rows, lines, strict=True)] == rows
    for after in (32, 64):  # in the second of several stretches, and again in the one after that
        if process:
            if (child := os.fork()) == 0:
                predict(*given, "cut", Dies(process), format=kind)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        else:
            with pytest.raises(RuntimeError, match="full"):
                predict(*given, "cut", Dies(process), format=kind)
        assert not Path(f"cut/predictions.{kind}").exists()
        done = json.loads(Path(f"cut/predictions.{kind}.part.json").read_text())["done"]
        assert done == after
    cut = predict(*given, "cut", format=kind)
    assert cut.read_bytes() == whole.read_bytes()
    if task == "answers":
        official = json.loads(Path("cut/predictions.json").read_text())
        assert list(official) == [row["id"] for row in rows]
        assert Path("cut/predictions.json").read_bytes() == Path("whole/predictions.json").read_bytes()
    assert not list(Path(os.environ["PRETUNE_CACHE"], "predict").glob("*"))  # nothing is left of the input
    assert sorted(p.name for p in Path("cut").iterdir()) == sorted(p.name for p in Path("whole").iterdir())


def test_a_prediction_that_was_killed_before_its_first_row_leaves_nothing(
    tokenizer_folder: Path, tiny: dict[str, Any]
) -> None:
    class Killed(Callback):
        def on_predict_start(self, trainer: Any, pl_module: LightningModule) -> None:
            os._exit(9)

    given = ("texts", tokenizer_folder, tiny)
    first = predict(*given, "out").read_bytes()
    if (child := os.fork()) == 0:
        predict(*given, "out", Killed())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert Path("out/predictions-2.jsonl.part").read_bytes() == b""
    assert predict(*given, "out").name == "predictions-2.jsonl"
    assert sorted(path.name for path in Path("out").iterdir()) == ["predictions-2.jsonl", "predictions.jsonl"]
    assert Path("out/predictions-2.jsonl").read_bytes() == first
    Path("out/predictions-3.jsonl.part").touch()
    lock = FileLock("out/predictions-3.jsonl.part.lock")
    with lock:  # another process has just begun
        assert predict(*given, "out").name == "predictions-4.jsonl"


def test_another_input_or_model_begins_anew(tokenizer_folder: Path, tiny: dict[str, Any]) -> None:
    given = ("texts", tokenizer_folder, tiny)
    with pytest.raises(RuntimeError, match="full"):
        predict(*given, "out", Dies(False))
    before = Path("out/predictions.jsonl.part").read_bytes()
    rows = Path("rows.jsonl").read_text().splitlines()
    Path("rows.jsonl").write_text("\n".join(rows[:40]))
    assert predict(*given, "out").name == "predictions-2.jsonl"
    assert len(Path("out/predictions-2.jsonl").read_text().splitlines()) == 40
    assert Path("out/predictions.jsonl.part").read_bytes() == before
    write_rows()
    with pytest.raises(InputError, match="unfinished, and of another input"):
        predict(*given, "out", file="out/predictions.jsonl", top=1)
    with pytest.raises(InputError, match="there is such a file already"):
        predict(*given, "out", file="out/predictions-2.jsonl")
    with pytest.raises(InputError, match="local file"):
        predict(*given, "out", file="s3://bucket/predictions.jsonl")
    assert predict(*given, "out", file="elsewhere/all.csv") == Path("elsewhere/all.csv")


def test_several_processes_write_what_one_does(tokenizer_folder: Path, tiny: dict[str, Any]) -> None:
    for task in ("texts", "answers"):
        alone = [json.loads(line) for line in predict(task, tokenizer_folder, tiny, task).read_text().splitlines()]
        model, data = make(task, tokenizer_folder, tiny)
        data.batch_size = 3  # 100 rows are no multiple of two processes' stretches
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
        writer = PredictionWriter(f"{task}-2")
        trainer = Trainer(callbacks=[writer], devices=2, strategy="ddp_fork", default_root_dir=task, **quiet)
        trainer.predict(model, data, return_predictions=False)
        both = [json.loads(line) for line in Path(f"{task}-2/predictions.jsonl").read_text().splitlines()]
        assert [row["text"] for row in both] == [row["text"] for row in alone]
        for one, other in zip(alone, both, strict=True):
            assert one["prediction"] == other["prediction"]
            if task == "texts":
                assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_memory_does_not_grow_with_the_input(tokenizer_folder: Path, tiny: dict[str, Any]) -> None:
    with Path("rows.jsonl").open("w") as file:
        for i in range(20_000):
            file.write(json.dumps({"text": f"the film {i}", "note": "x" * 200}) + "\n")
    peaks: list[int] = []

    class Watch(Callback):
        def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **more: Any) -> None:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    tiny |= {"num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8}
    model, data = make("texts", tokenizer_folder, tiny)
    data.batch_size = 200
    read, write = os.pipe()
    if (child := os.fork()) == 0:  # a peak of its own
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
        trainer = Trainer(callbacks=[PredictionWriter("out"), Watch()], **quiet)
        trainer.predict(model, data, return_predictions=False)
        os.write(write, json.dumps([before, peaks[0], peaks[-1]]).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    before, first, last = json.loads(os.read(read, 1000))
    lines = Path("out/predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in (lines[0], lines[-1])] == ["the film 0", "the film 19999"]
    each = (last - before) * 1024 / 20_000
    assert each < 3_500, (
        f"{each:.0f} bytes a row, {(first - before) * 1024 / 20_000:.0f} of them before the first batch"
    )


def test_probabilities_of_many_labels(tokenizer_folder: Path, tiny: dict[str, Any]) -> None:
    row = {"prediction": "3", "probabilities": {str(i): float(i == 3) + i / 1000 for i in range(101)}}
    shown = Likeliest()
    assert list(shown(row)["probabilities"])[:2] == ["3", "100"]
    assert (len(shown(row)["probabilities"]), shown.left_out) == (20, 81)
    few = {"probabilities": {"a": 0.5, "b": 0.5}}
    assert Likeliest()(few) is few
    assert list(Likeliest(1)(few)["probabilities"]) == ["a"]
    path = predict("texts", tokenizer_folder, tiny, "out", top=1, format="csv")
    found = list(csv.DictReader(path.open(newline="")))
    assert all(list(json.loads(r["probabilities"])) == [r["prediction"]] for r in found)
    with pytest.raises(InputError, match="at least 1"):
        PredictionWriter("out", top=0)


def test_nothing_in_a_file_is_a_formula_or_a_command() -> None:
    table = Table()
    found = {"prediction": ["a", 1], "probabilities": {"=a": 0.5, "b": 0.5}}
    table.begin(["text", "=n"], found, True)
    line = table.row({"text": "=HYPERLINK(1)\x1b[31m", "=n": "-1.5"}, found)
    assert next(csv.reader([line])) == ["'=HYPERLINK(1)\\x1b[31m", "-1.5", '["a", 1]', "0.5", "0.5"]
    with pytest.raises(InputError, match="--predictions jsonl"):
        table.row({}, {"other": 1})
    odd = {"text": "a\x9b31m\u2028\x1b\ud800b"}
    written = to_json(odd)
    assert json.loads(written) == odd
    assert written.isascii()


def test_answers_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    chances = {"pos[red]": 0.25, "neg": 0.75}
    print_answers([{"text": "[bold]a\x1b[31m film", "prediction": "neg", "probabilities": chances}] * 51)
    shown = capsys.readouterr().out
    assert shown.startswith("[bold]a\\x1b[31m film\n  -> neg (neg 0.75, pos[red] 0.25)\n")
    assert shown.count("->") == 50
    assert "1 more" in shown
    assert answer({"prediction": [], "probabilities": {"a": 0.1}}) == "no label (a 0.10)"
    assert answer({"prediction": ["O"], "entities": []}) == "no entity"
    assert answer({"prediction": 2.5}) == "2.5"


def test_the_command_line_keeps_earlier_predictions(
    reviews: Path, encoder: Path, run: Callable[..., Any], fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    args += ["--data.text_column=review", "--data.label_column=stars", "--name=a"]
    run("fit", *args, f"--data.train_files={reviews}", "--trainer.max_steps=1")
    first = run("predict", *args, f"--data.predict_files={reviews}").predictions
    capsys.readouterr()
    second = run("predict", *args, "--data.predict_texts=[a good film]").predictions
    assert "a good film\n  -> " in capsys.readouterr().out
    assert (first.name, second.name) == ("predictions.jsonl", "predictions-2.jsonl")
    assert [len(path.read_text().splitlines()) for path in (first, second)] == [80, 1]
    named = [*args, "--data.predict_texts=[a good film]", "--predictions_file=mine/all.csv"]
    assert run("predict", *named).predictions.read_text().startswith("review,prediction,probabilities.negative")
    assert "there is such a file already" in fails("predict", *named)


@pytest.mark.slow
def test_a_prediction_that_is_killed_at_random_moments_is_whole_in_the_end(
    reviews: Path, encoder: Path, run: Callable[..., Any]
) -> None:
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    args += ["--data.text_column=review", "--data.label_column=stars", "--name=a", "--trainer.precision=32-true"]
    run("fit", *args, f"--data.train_files={reviews}", "--trainer.max_steps=1")
    for part in range(2):
        with Path(f"rows-{part}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["n", "review", "stars", "note, of mine"])
            for i in range(1500):
                text = sentence(i, 3 + i % 9)
                writer.writerow([part * 1500 + i, text, ("negative", "positive")[i % 2], f'"{i}"\n,' if i % 3 else ""])
    args = ["predict", *args, "--data.predict_files=[rows-0.csv,rows-1.csv]", "--data.batch_size=4"]
    args += ["--predictions=csv", "--threshold=0.5", "--top_k=1", "--trainer.accelerator=cpu"]
    args += ["--trainer.enable_progress_bar=false"]
    whole = run(*args).predictions
    facts = json.loads(Path("runs/a/version_0/summary.json").read_text())["predictions"]["predictions.csv"]
    code = "import pretune.main as m, pretune.cli.callbacks.predictions as p\n"
    code += f"p.PredictionWriter.save_every = 0\nm.main({args})"
    state = Path("runs/a/version_0/predictions-2.csv.part.json")
    draw, kills, before = random.Random(0), 0, 0
    while kills < 5:
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([sys.executable, "-c", code], **quiet) as job:
            while job.poll() is None:
                done = json.loads(state.read_text())["done"] if state.is_file() else 0
                if done > before:
                    time.sleep(draw.random() / 20)
                    job.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.005)
        if job.wait() != -signal.SIGKILL:
            break
        kills, before = kills + 1, done
    assert kills >= 2
    path = Path("runs/a/version_0/predictions-2.csv")
    if not path.exists():
        assert run(*args).predictions.name == path.name
    assert path.read_bytes() == whole.read_bytes()
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    added = ["prediction", "abstained", "top_1.label", "top_1.probability", "correct"]
    assert header == ["n", "review", "stars", "note, of mine", *added]
    assert [int(row[0]) for row in rows] == list(range(3000))
    assert json.loads(Path("runs/a/version_0/summary.json").read_text())["predictions"]["predictions-2.csv"] == facts
