"""The card of a run's export: written when it is trained, brought up to date when it is tested."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from pretune.checkpoints import locate
from pretune.cli.sharing.run_card import run_card, write_run_card
from pretune.cli.sharing.run_facts import RunFacts
from pretune.errors import InputError
from pretune.text.card_sections import section

Run = Callable[..., Any]
BARE = f"---\nlibrary_name: transformers\npipeline_tag: text-classification\n---\n\n# It\n\n{section('scores')}"


def card_of(run: Path) -> ModelCard:
    return ModelCard((run / "export/README.md").read_text(encoding="utf-8"))


@pytest.fixture
def trained(mine: Path, run: Run) -> Path:
    """A run of two steps."""
    with mine.open("a") as file:
        file.write("trainer: {max_steps: 2, precision: 32-true}\ncard: {license: mit, language: en}\n")
    folder: Path = run("fit", "--config", mine).run.folder
    return folder


def test_from_training_to_test(trained: Path, run: Run, reviews: Path, tmp_path: Path) -> None:
    before = card_of(trained)
    data = before.data.to_dict()
    assert (data["license"], data["language"], data["pipeline_tag"]) == ("mit", "en", "text-classification")
    assert data["metrics"] == ["accuracy", "f1", "matthews_correlation"]
    assert "model-index" not in data
    assert "Not tested: these are scores on validation" in before.text
    assert "| `negative` | 36 | `" in before.text
    assert "![Training and validation over the steps](curves.png)" in before.text
    assert (trained / "export/curves.png").read_bytes() == (trained / "curves.png").read_bytes()
    shown = yaml.safe_load(before.text.partition("```yaml\n")[2].partition("```")[0])
    assert shown["trainer"]["max_steps"] == 2
    assert shown["model"]["init_args"]["backbone"] == "encoder"
    for place in ("# hardware", "versions | python", "- Time: ", "- Stopped: "):
        assert place.removeprefix("# ") in before.text
    assert str(tmp_path) not in before.content

    edited = before.content.replace("How it does on texts", "I know how it does. How it does on texts")
    (trained / "export/README.md").write_text(edited)
    run("test", "--config", "mine.yaml", f"--data.test_files={reviews}")
    after = card_of(trained)
    accuracy = json.loads((trained / "summary.json").read_text())["test"]["test/accuracy"]
    results = {result.metric_name: result for result in after.data.eval_results}  # type: ignore[attr-defined]
    assert results["accuracy"].metric_value == pytest.approx(accuracy, abs=1e-6)
    assert results["accuracy"].dataset_split == "test"
    assert "loss" not in results
    assert f"| `accuracy` | {accuracy:.4f} | " in after.text
    assert "Tested on `reviews.csv`." in after.text
    assert "Always the most frequent label would score an accuracy of 0.5000." in after.text
    assert "I know how it does." in after.text  # their own words stay
    locate(str(trained))  # the checksums know nothing of cards


def test_scores_of_other_weights_are_none_of_the_exports(trained: Path, run: Run, reviews: Path) -> None:
    summary = json.loads((trained / "summary.json").read_text())
    summary["fit"]["kept"]["step"] = 1  # the best were others than the last
    (trained / "summary.json").write_text(json.dumps(summary))
    run("test", "--config", "mine.yaml", f"--data.test_files={reviews}", "--ckpt_path=last")
    assert "model-index" not in card_of(trained).data.to_dict()


def facts(**summary: Any) -> RunFacts:
    return RunFacts("mood", summary={"fit": {"steps": 9, "kept": {"step": 5, "val/f1": 0.5}}, **summary})


def tested(**scores: Any) -> dict[str, Any]:
    named = {f"test/{name}": value for name, value in scores.items()}
    return {**named, "scored": {"checkpoint": "best.ckpt", "step": 5, "files": "a.csv"}}


def test_seeds_and_their_interval() -> None:
    seeds = {
        str(n): {"fit": {"kept": {"step": 5}}, "test": tested(accuracy=a)} for n, a in enumerate((0.80, 0.82, 0.84))
    }
    run = RunFacts("mood", summary=seeds["0"], seeds=seeds)
    text = run_card(BARE, run, "card")
    assert "over 3 seeds, test" in text
    assert "| `accuracy` | 0.8000 | 0.8200 ± 0.0200 (0.7703 to 0.8697) |" in text
    seeds["2"].pop("test")
    assert "over 3 seeds" not in run_card(BARE, RunFacts("mood", summary=seeds["0"], seeds=seeds), "card")


def test_a_folder_of_seeds_is_read_as_one() -> None:
    for seed, score in ((1, 0.5), (2, 0.7)):
        version = Path(f"runs/mood/seed_{seed}/version_0")
        version.mkdir(parents=True)
        fit = {"status": "finished", "kept": {"step": 5, "val/f1": score}}
        (version / "summary.json").write_text(json.dumps({"fit": fit}))
    run = RunFacts.of(Path("runs/mood/seed_1/version_0"))
    assert run.name == "mood"
    assert "| `f1` | 0.6000 ± 0.1414 (0.0000 to 1.0000) | 0.5000 |" in run_card(BARE, run, "card")


def test_entities_with_hostile_names() -> None:
    kinds = {"a|b": {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 4}, "地名": {"f1": 0.0, "support": 1}}
    text = run_card(BARE, facts(test={**tested(f1=0.5), "entities": kinds}), "card")
    assert r"| `a\|b` | 1.0000 | 0.5000 | 0.6667 | 4 |" in text
    assert "| `地名` |  |  | 0.0000 | 1 |" in text


def test_a_data_set_of_the_hub_is_named() -> None:
    config = {"data": {"init_args": {"dataset": "org/set", "subset": "small"}}}
    run = RunFacts("mood", summary=facts(test=tested(mcc=0.25)).summary, config=config)
    (result,) = ModelCard(run_card(BARE, run, "card")).data.eval_results  # type: ignore[attr-defined]
    assert (result.dataset_type, result.dataset_config, result.metric_type) == (
        "org/set", "small", "matthews_correlation"
    )  # fmt: skip


def test_the_configuration_tells_no_places_and_no_secrets() -> None:
    config = {
        "data": {"init_args": {"train_files": ["/home/me/secret/a.csv", "s3://key:word@host/b.csv"], "subset": None}},
        "model": {"note": "```\n<!-- pretune: end of configuration -->\n| x |"},
    }
    card = f"{BARE}\n{section('configuration')}\nafter\n"
    run = RunFacts("mood", config=config)
    text = run_card(card, run, "card")
    assert "/home/me" not in text
    assert "key:word" not in text
    assert "s3://host/b.csv" in text
    assert "subset" not in text
    assert run_card(text, run, "card") == text
    assert text.endswith("\nafter\n")


@pytest.mark.parametrize("front", ["---\n[\n---\n", "---\n- a\n---\n", "---\nmodel-index: 3\n---\n"])
def test_front_matter_that_is_none(front: str) -> None:
    with pytest.raises(InputError, match="The front matter of card cannot be read"):
        run_card(front, facts(test=tested(f1=0.5)), "card")


@pytest.mark.parametrize("content", ["{", "[]", '{"fit": 3, "test": "x", "before": []}', ""])
def test_a_damaged_summary_is_not_known(content: str) -> None:
    run = Path("runs/mood/version_0")
    (run / "export").mkdir(parents=True)
    (run / "export/README.md").write_text(BARE)
    (run / "summary.json").write_text(content)
    (run / "config.yaml").write_text(content)
    assert write_run_card(run) is not None
    assert card_of(run).data.to_dict()["library_name"] == "transformers"
