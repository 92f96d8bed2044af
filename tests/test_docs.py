"""The pages of docs/ that build a component are followed outside the repository; links and the reference are whole."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

import pretune
from pretune.cli.own_code import see_own_code
from pretune.docs.hooks import ELSEWHERE, site_links

ROOT = Path(pretune.__file__).parent
DOCS = ROOT / "docs"
OWN = ("swapped", "senses")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def write(page: str) -> None:
    """Writes the files that a page shows, each under the name in its first line."""
    for text in [*blocks(page, "python"), *blocks(page, "yaml")]:
        name = re.match(r"# (\S+)\n", text)
        assert name, text
        Path(name[1]).write_text(text)


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    """What the commands made importable is forgotten, and is not the next test's."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in OWN:
        sys.modules.pop(name, None)


def follow(page: str, run: Callable[..., Any]) -> dict[str, Any]:
    """Runs the commands of a page in their order; the last result of each verb."""
    write(page)
    Path("configs").symlink_to(ROOT / "configs")
    made: dict[str, Any] = {}
    see_own_code([])  # as the command does that has a process for itself
    for line in [line for block in blocks(page, "bash") for line in block.splitlines()]:
        verb, *args = shlex.split(line.removeprefix("python main.py "))
        made[verb] = run(verb, *args)
    return made


def exported(run: str) -> Path:
    return Path("runs") / run / "version_0" / "export"


def test_an_objective_of_ones_own(corpus: Path, reviews: Path, run: Callable[..., Any]) -> None:
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    made = follow("adding-an-objective.md", run)
    assert made["estimate"]["parameters"] > 0
    summary = json.loads(Path("runs/swapped/version_0/summary.json").read_text())
    assert summary["fit"]["best"] < summary["before"]["val/loss"]
    assert AutoModelForTokenClassification.from_pretrained(exported("swapped")).config.num_labels == 1
    assert len(AutoModelForSequenceClassification.from_pretrained(exported("sentiment")).config.id2label) == 2


def test_stages(corpus: Path, reviews: Path, run: Callable[..., Any]) -> None:
    [text] = [text for text in blocks("pretraining.md", "yaml") if text.startswith("# stages.yaml")]
    Path("stages.yaml").write_text(text.replace("00000,", "000,"))
    Path("corpus").mkdir()
    corpus.rename("corpus/a.txt")
    network = "{model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}"
    cli = run(
        "fit", "--config", ROOT / "configs/pretrain/masked.yaml", "--config=stages.yaml", "--trainer.precision=32-true",
        f"--model.backbone.config={network}", "--data.tokenizer={train: wordpiece, vocab_size: 200}", "--name=stages",
    )  # fmt: skip
    assert cli.trainer.max_epochs == 1
    assert [stage.end for stage in cli.datamodule.planned_stages()] == [32, 64, 72]
    assert cli.trainer.global_step == 1 + 1 + 1


def test_a_datamodule_of_ones_own(run: Callable[..., Any], fails: Callable[..., str]) -> None:
    from transformers import AutoModelForSequenceClassification

    rows = [
        {"word": "film", "sentence1": sentence(i), "sentence2": sentence(i + i % 2), "label": 1 - i % 2}
        for i in range(60)
    ]
    Path("senses.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = follow("adding-a-datamodule.md", run)
    assert made["estimate"]["parameters"] > 0
    config = AutoModelForSequenceClassification.from_pretrained(exported("senses")).config
    assert config.id2label == {0: "other sense", 1: "same sense"}
    written = [json.loads(line) for line in Path("runs/senses/version_0/predictions.jsonl").read_text().splitlines()]
    assert len(written) == len(rows)
    assert {row["prediction"] for row in written} <= set(config.id2label.values())
    Path("bad.jsonl").write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1] | {"label": "yes"}))
    assert "bad.jsonl:2: the label is 'yes'" in fails("fit", "--config=senses.yaml", "--data.train_files=bad.jsonl")


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("adding-*.md")))
def test_components_are_small(page: str) -> None:
    (code,) = blocks(page, "python")
    body = code.partition("\nclass ")[2]
    written = re.sub(r'"""[\s\S]*?"""', "", body)
    assert len([line for line in written.splitlines() if line.strip()]) <= 50


PAGES = [*DOCS.rglob("*.md"), *(ROOT / name for name in ELSEWHERE.values())]


def anchors(path: Path) -> set[str]:
    """What code hosts, and the site, call the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", path.read_text()):
        to = (path.parent / target).resolve() if target else path
        assert to.exists(), target
        assert not anchor or anchor in anchors(to), f"{target}#{anchor}"


def test_links_lead_to_pages_of_the_site() -> None:
    pages = {"index.md", "runs.md", "results.md", "reference/tasks.md", "contributing.md"}
    for page, text, there in (
        ("index.md", "[a](docs/runs.md), [b](benchmarks/RESULTS.md#x)", "[a](runs.md), [b](results.md#x)"),
        ("runs.md", "[a](../benchmarks/RESULTS.md) [`b`](../benchmarks/gpu)", "[a](results.md) `b`"),
        ("reference/tasks.md", "[a](../runs.md#b) [c](#d)", "[a](../runs.md#b) [c](#d)"),
        ("results.md", "[a](../CONTRIBUTING.md) [b](https://c.d)", "[a](contributing.md) [b](https://c.d)"),
        ("runs.md", "```\n[a](../README.md)\n```\n[a](../README.md)", "```\n[a](../README.md)\n```\n[a](index.md)"),
        ("runs.md", "[a](missing.md)", "[a](missing.md)"),  # which the site's builder refuses
    ):
        assert site_links(text, page, pages) == there


def test_the_reference_is_whole() -> None:
    from pretune import datamodules, modules
    from pretune.cli.verbs import VERBS
    from pretune.modules import callbacks

    reference = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    for room in (modules, datamodules, callbacks):
        for name in set(room.__all__) - {"LabelledDataModule"}:  # a former name
            assert f"\n::: {room.__name__}.{name}\n" in reference, name
    assert re.findall(r"^\| `(\w+)` \|", (DOCS / "reference/commands.md").read_text(), re.M) == list(VERBS)
