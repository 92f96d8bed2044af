"""Every YAML that is shipped, through every verb it is for; hub names are local folders of the same shape."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_combinations import BACKBONES as TINY
from tests_support import capitalized, sentence

import pretune
from pretune.modules import Backbone

CONFIGS = Path(pretune.__file__).parent / "configs"
ELSEWHERE = ("finetune/glue/", "finetune/clue/", "finetune/datasets/", "suites/", "spaces/")  # have tests of their own
ALL = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml"))
ALL = [name for name in ALL if not name.startswith(ELSEWHERE)]
SHORT = (
    "--trainer.max_steps=3",
    "--trainer.limit_val_batches=2",
    "--trainer.val_check_interval=1.0",
    "--data.batch_size=4",
)
EXPERIMENTS = [name for name in ALL if name.split("/")[0] in ("quickstart", "pretrain", "finetune")]


@pytest.fixture(scope="session")
def docs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few packages with docstrings."""
    roots = {}
    for number, package in enumerate(("python", "torch", "numpy")):
        folder = roots[package] = tmp_path_factory.mktemp("site") / package
        folder.mkdir()
        for i in range(60):
            (folder / f"m{i}.py").write_text(f'"""{sentence(60 * number + i, 14)} It is number {i} of {package}."""\n')
    return roots


def own_files() -> dict[str, str]:
    """What the configurations for files of one's own read."""
    texts = [sentence(i, 12) for i in range(40)]
    tables = {
        "stories": [
            {"context": t, "endings": [sentence(i), sentence(i + 1)], "label": i % 2} for i, t in enumerate(texts)
        ],
        "articles": [{"document": t, "summary": " ".join(t.split()[:3])} for t in texts],
        "pairs": [{"translation": {"en": t, "de": " ".join(reversed(t.split()))}} for t in texts],
        "instructions": [{"instruction": t, "input": "", "output": " ".join(t.split()[:3])} for t in texts],
    }
    files = {f"{name}.jsonl": "\n".join(map(json.dumps, rows)) for name, rows in tables.items()}
    files["names.conll"] = "\n\n".join(
        "\n".join(f"{word} {'B-ART' if word in ('film', 'book') else 'O'}" for word in text.split()) for text in texts
    )
    paragraphs = [
        {
            "context": text,
            "qas": [
                {
                    "id": f"q{i}",
                    "question": "what is it?",
                    "answers": [{"text": text.split()[2], "answer_start": len(" ".join(text.split()[:2])) + 1}],
                }
            ],
        }
        for i, text in enumerate(texts)
    ]
    for name in ("domain", "new", "old", "new-held-out", "old-held-out"):
        files[f"{name}.txt"] = "\n".join(f"{text} {name}" for text in texts * 10)
    files["exam.jsonl"] = json.dumps({"question": " ".join(f"word{i}" for i in range(14))})
    files["questions.json"] = json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]})
    return files


@pytest.fixture
def world(
    tmp_path: Path, docs: dict[str, Path], reviews: Path, corpus: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder in which every shipped command finds what it names."""
    monkeypatch.setattr("pretune.text.readers.installed_docs.installed_roots", lambda: docs)
    (tmp_path / "corpus").mkdir()
    documents = (" ".join(capitalized(7 * i + j, 12) for j in range(3 + i % 3)) for i in range(120))
    (tmp_path / "corpus/a.txt").write_text("\n\n".join(documents))
    (tmp_path / "shakespeare").mkdir()
    for split in ("train", "validation"):
        shutil.copy(corpus, tmp_path / f"shakespeare/{split}.txt")
    shutil.copytree(encoder, tmp_path / "bert-base-uncased")
    shutil.copytree(encoder, tmp_path / "bert-base-cased")
    for name, rows in own_files().items():
        Path(name).write_text(rows)
    shutil.copy(reviews, "held_out.csv")
    Path("new.csv").write_text("review\n" + "\n".join(sentence(i) for i in range(5)))
    Path("nyu-mll/glue/sst2").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [{"sentence": sentence(i), "label": i % 2, "idx": i} for i in range(40)]
        Path(f"nyu-mll/glue/sst2/{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


ALSO = {
    "finetune/ner.yaml": ("--data.max_length=64",),
    "finetune/question_answering.yaml": ("--data.max_length=64", "--data.stride=16"),
    "finetune/multiple_choice.yaml": ("--data.max_length=64",),
    "finetune/summarization.yaml": ("--model.generation.max_new_tokens=4",),
    "finetune/translation.yaml": ("--model.generation.max_new_tokens=4",),
    "finetune/instructions.yaml": ("--model.generation.max_new_tokens=4", "--data.max_length=256"),
    **{f"pretrain/{name}.yaml": ("--data.block_size=64",) for name in ("continued", "dapt", "tapt", "update")},
    "pretrain/shakespeare_char.yaml": ("--trainer.val_check_interval=3",),
}
OBJECTIVES = {"encoder": "masked", "decoder": "causal", "encoder-decoder": "span_denoising"}
OWN_FILES = {  # what is tested on, the score, and what is predicted
    "finetune/sentiment.yaml": ("--data.test_files=held_out.csv", "accuracy", "--data.predict_texts=a good film"),
    "finetune/ner.yaml": ("--data.test_files=names.conll", "f1", "--data.predict_texts=a good film"),
    "finetune/question_answering.yaml": (
        "--data.test_files=questions.json",
        "exact_match",
        "--data.predict_files=questions.json",
    ),
    "finetune/multiple_choice.yaml": (
        "--data.test_files=stories.jsonl",
        "accuracy",
        "--data.predict_files=stories.jsonl",
    ),
    "finetune/summarization.yaml": ("--data.test_files=articles.jsonl", "rougeL", "--data.predict_texts=a good film"),
    "finetune/translation.yaml": ("--data.test_files=pairs.jsonl", "bleu", "--data.predict_files=pairs.jsonl"),
    "finetune/instructions.yaml": (
        "--data.test_files=instructions.jsonl",
        "perplexity",
        "--data.predict_texts=a good film",
    ),
}
BACKBONES = [name for name in ALL if name.startswith("backbones/")]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:
    config = str(CONFIGS / name)
    short = (*SHORT, *ALSO.get(name, ()))
    if name.startswith("quickstart/") and name != "quickstart/pretrain.yaml":
        run("fit", "--config", str(CONFIGS / "quickstart/pretrain.yaml"), *SHORT)
    cli = run("fit", "--config", config, *short)
    assert cli.trainer.global_step == 3
    assert (cli.run.folder / "export/model.safetensors").is_file()
    folder = cli.run.folder
    run("validate", "--config", config, *short)
    if name.startswith("pretrain/") or name == "quickstart/pretrain.yaml":
        if cli.config.fit.model.class_path.endswith("CausalLanguageModeling"):
            run("predict", "--config", config, "--data.predict_texts=[The film, A]", *short)
            lines = (folder / "predictions.jsonl").read_text().splitlines()
            assert [json.loads(line)["text"] for line in lines] == ["The film", "A"]
            assert all("prediction" in json.loads(line) for line in lines)
        return
    if name.startswith("quickstart/"):
        tested, metric, asked = "--data.seed=0", "accuracy", "--data.predict_texts=a good film"
    else:
        tested, metric, asked = OWN_FILES[name]
    run("test", "--config", config, tested, *short)
    assert f"test/{metric}" in json.loads((folder / "summary.json").read_text())["test"]
    run("predict", "--config", config, asked, *short)
    assert "prediction" in json.loads((folder / "predictions.jsonl").read_text().splitlines()[0])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_estimates(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:
    """What each would need is known before it runs."""
    if name in ("quickstart/pretrained.yaml", "quickstart/scratch.yaml"):
        run("fit", "--config", str(CONFIGS / "quickstart/pretrain.yaml"), *SHORT)
    short = [option for option in (*SHORT, *ALSO.get(name, ())) if not option.startswith("--trainer.val")]
    found = run("estimate", "--config", str(CONFIGS / name), *short, "--hardware=h100x2", "--json=found.json")
    assert found["parameters"] >= found["learning"] > 0
    assert (found["parameters"] == found["learning"]) == (name != "finetune/instructions.yaml")  # whose adapters learn
    assert found["seconds"] > 0
    for parts in found["memory"].values():
        assert parts["weights"] > 0
        assert parts["activations"] > 0
    assert found["memory"]["ddp"]["optimizer"] == 8 * found["learning"]


@pytest.fixture
def hub(request: pytest.FixtureRequest, tmp_path: Path, tokenizer: Any) -> None:
    """A local folder in place of the model of the Hub that a configuration names."""
    hub_folder(CONFIGS / request.getfixturevalue("name"), tmp_path, tokenizer)


def hub_folder(config: Path, place: Path, tokenizer: Any) -> None:
    """Makes that folder: tiny, of the same architecture."""
    text = config.read_text()
    found = re.search(r"backbone: \{name: (.+?), ", text) or re.search(
        r"(?m)^ +(?:backbone|name): ([\w.-]+/[\w.-]+)", text
    )
    if found is None or found[1].startswith(("null", "runs/")) or (place / found[1]).exists():
        return
    hub_id = found[1]
    kind = {"bart": "bart", "electra": "electra", "llama": "llama", "modernbert": "modernbert", "qwen3": "qwen3"}
    kind |= {"xlm": "xlm-roberta", "roberta": "roberta", "t5": "t5", "gpt2": "gpt2", "bert": "bert"}
    model_type = next(value for key, value in kind.items() if key in hub_id.lower())
    family, sizes = TINY[model_type]
    auto = {"encoder": "AutoModelForMaskedLM", "decoder": "AutoModelForCausalLM"}.get(family, "AutoModelForSeq2SeqLM")
    if family == "encoder-decoder":
        tokenizer.add_tokens([f"<extra_id_{i}>" for i in range(100)], special_tokens=True)
    model, _ = Backbone(config={"model_type": model_type, **sizes}).build(auto, tokenizer)
    model.save_pretrained(place / hub_id)
    tokenizer.save_pretrained(place / hub_id)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:
    """Each overlay on the objective that it is for."""
    (family,) = re.search(r"\((encoder|decoder|encoder-decoder)\)\.\n", (CONFIGS / name).read_text()).groups()  # type: ignore[union-attr]
    experiment = f"pretrain/{OBJECTIVES[family]}.yaml"
    sizes = ("--data.block_size=64", "--trainer.num_sanity_val_steps=0")
    generation = ("--model.generation.max_new_tokens=3",) if family == "decoder" else ()
    stride = ("--data.eval_stride=32",) if family == "decoder" else ()
    cli = run("fit", "--config", CONFIGS / experiment, "--config", CONFIGS / name, *SHORT, *sizes, *generation, *stride)
    assert cli.trainer.global_step == 3
    backbone = cli.model.backbone
    assert (backbone.name is None) == ("tiny" in name)
    assert cli.model.model.config.model_type == (backbone.config or {}).get(
        "model_type", cli.model.model.config.model_type
    )
    assert (cli.run.folder / "export/model.safetensors").is_file()


@pytest.mark.parametrize("name", [name for name in ALL if name not in EXPERIMENTS + BACKBONES])
def test_overlays(name: str, world: Path, run: Callable[..., Any], fails: Callable[..., str]) -> None:
    args = ["fit", "--config", CONFIGS / "finetune/sentiment.yaml", "--config", CONFIGS / name]
    if name == "trainers/cpu.yaml" or name.startswith("recipes/"):
        assert run(*args, *SHORT).trainer.global_step == 3
    elif not torch.cuda.is_available():  # what needs a GPU says so
        assert "GPU" in fails(*args) or "gpu" in fails(*args)
