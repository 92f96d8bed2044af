"""Ready configurations with the models and data sets that they name, read from a hub by their public ids."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hub_models import MODELS, RENAMED, add_models  # type: ignore[import-not-found]
from hub_sets import add_sets  # type: ignore[import-not-found]
from hub_user import User  # type: ignore[import-not-found]
from public_sets import CASES
from reading_server import ReadingServer  # type: ignore[import-not-found]
from tests_support import sentence

import pretune

CONFIGS = Path(pretune.__file__).parent / "configs"
QUICK = {"datasets/conll2003", "datasets/xsum", "clue/c3", "glue/mnli"}
"""One of each: tags of tokens, texts from a converted branch, choices in Chinese, splits of unusual names."""
SLOW = pytest.mark.slow
BACKBONES = sorted(
    path.stem
    for path in (CONFIGS / "backbones").glob("*.yaml")
    if yaml.safe_load(path.read_text())["model"]["init_args"]["backbone"]["name"]
)
TASKS = {"bart": "datasets/xsum", "t5": "datasets/xsum", "gpt2": "datasets/alpaca"} | dict.fromkeys(
    ("llama", "qwen3"), "datasets/alpaca"
)
"""Configurations for backbones that are no encoders."""
SMALL = ("--data.max_length=48", "--trainer.accumulate_grad_batches=1")


def stock(server: ReadingServer, config: str, *more: str) -> None:
    """Put what a configuration and others name onto the server."""
    name = yaml.safe_load((CONFIGS / f"finetune/{config}.yaml").read_text())["model"]["init_args"]["backbone"]
    name = name["name"] if isinstance(name, dict) else name
    add_models(server.repos, {RENAMED.get(one, one) for one in (name, *more)})
    add_sets(server.repos, [config], rows=6)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [SLOW]) for n in CASES])
def test_a_configuration_by_its_public_ids(name: str, server: ReadingServer, user: User) -> None:
    stock(server, name)
    case = CASES[name]
    place = case.at.partition("@")[0].split("/")
    done = user.fit(f"finetune/{name}", *SMALL, *case.more, f"--name={name.replace('/', '-')}")
    assert done.code == 0, done.err
    read = re.findall(r"^(?:train|validation): (\d+) (?:rows|questions|pairs)", done.err, re.MULTILINE)
    validated = any(split.startswith("validation") for split in case.splits)
    assert sum(map(int, read)) == (12 if validated else 6), "without a split to validate on, a part of the other"
    sent = [path for path in server.bodies() if path.startswith(f"/datasets/{'/'.join(place[:2])}/")]
    assert any(path.endswith((".parquet", ".jsonl")) for path in sent)
    card = yaml.safe_load(
        (user.folder / f"runs/{name.replace('/', '-')}/version_0/export/README.md").read_text().split("---")[1]
    )
    assert card["datasets"] == [case.at if "@" in case.at else "/".join(place[:2])]
    assert card["license"] == "apache-2.0", "of the card of the weights"
    assert card["base_model"] in {*MODELS, *RENAMED}


@SLOW
@pytest.mark.parametrize("overlay", BACKBONES)
def test_a_backbone_by_its_public_id(overlay: str, server: ReadingServer, user: User) -> None:
    config = TASKS.get(overlay.partition("-")[0], "glue/cola")
    backbone = yaml.safe_load((CONFIGS / f"backbones/{overlay}.yaml").read_text())
    stock(server, config, backbone["model"]["init_args"]["backbone"]["name"])
    case = CASES[config]
    done = user.fit(
        f"finetune/{config}", "--config", CONFIGS / f"backbones/{overlay}.yaml", *SMALL, *case.more
    )  # fmt: skip
    assert done.code == 0, done.err


@SLOW
@pytest.mark.parametrize("name", ["continued", "dapt", "tapt", "update"])
def test_pretraining_that_begins_with_a_public_model(name: str, server: ReadingServer, user: User) -> None:
    add_models(server.repos, ["google-bert/bert-base-uncased"])
    for file in ("corpus/a.txt", "domain.txt", "new.txt", "old.txt", "old-held-out.txt", "new-held-out.txt"):
        (user.folder / file).parent.mkdir(exist_ok=True)
        (user.folder / file).write_text("\n".join(sentence(i + len(file), 12) for i in range(60)) + "\n")
    (user.folder / "reviews.csv").write_text("review\n" + "\n".join(sentence(i) for i in range(60)) + "\n")
    words = "--data.tokenizer={extend: bert-base-uncased, words: 2, min_frequency: 1}"
    small = [words] if name == "update" else []
    done = user.fit(f"pretrain/{name}", "--data.block_size=32", *small)
    assert done.code == 0, done.err


def test_every_verb_of_a_set_of_unusual_splits(server: ReadingServer, user: User) -> None:
    """MNLI has two of each, and a third set for its diagnostics."""
    stock(server, "glue/mnli")
    run = ("--name=mnli-verbs", *SMALL)
    for verb in ("fit", "validate", "predict"):
        done = user.fit("finetune/glue/mnli", *run, verb=verb)
        assert done.code == 0, done.err
    done = user.fit("finetune/glue/mnli", *run, verb="test")
    assert "there is no label" in done.message
    overlay = ("--config", CONFIGS / "finetune/glue/mnli_mismatched.yaml")
    assert user.fit("finetune/glue/mnli", *overlay, *run, verb="validate").code == 0
    rows = (user.folder / "runs/mnli-verbs/version_0/predictions.jsonl").read_text().splitlines()
    assert len(rows) == 6
    assert {json.loads(row)["prediction"] for row in rows} <= {"entailment", "neutral", "contradiction"}
