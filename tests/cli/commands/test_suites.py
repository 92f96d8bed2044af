"""Suites: interrupted and resumed, options that change, tasks that fail, the table by hand, the submissions."""

from __future__ import annotations

import json
import statistics
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_data_configs import CASES, NLI, SHORT, _hub, backbones, texts, write  # noqa: F401

import pretune
from pretune.checkpoints import read_checkpoint
from pretune.cli.commands import suite_runner
from pretune.cli.commands.suite_checks import check_metrics
from pretune.cli.commands.suite_results import Part, Task, format_predictions, mean_score, merit, pack, tabulate
from pretune.main import main

SUITE: dict[str, Any] = {
    "name": "small",
    "seeds": [1, 2],
    "overrides": {"trainer": {"enable_progress_bar": False, "max_steps": 4}},
    "tasks": {
        "cola": {
            "config": "finetune/glue/cola.yaml",
            "metrics": ["mcc", "accuracy"],
            "submission": "CoLA.tsv",
            "spelling": {"unacceptable": 0, "acceptable": 1},
        },
        "mnli": {
            "config": "finetune/glue/mnli.yaml",
            "metrics": ["accuracy"],
            "overrides": {"model": {"init_args": {"learning_rate": 1e-4}}},
            "also": {"mm": {"config": "finetune/glue/mnli_mismatched.yaml", "metrics": ["accuracy"]}},
        },
    },
}
OPTIONS = [*(option for option in SHORT if "max_steps" not in option), "--trainer.accelerator=cpu"]


def run(*args: str) -> Any:
    return main(["suite", "--config=small.yaml", *args, *OPTIONS])


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Verb and run of each command that a suite gives; a + for those that go on from a checkpoint."""
    write(CASES["glue/cola"])
    write(CASES["glue/mnli"])
    Path("small.yaml").write_text(yaml.safe_dump(SUITE, sort_keys=False))
    seen: list[str] = []
    real = suite_runner.run_alone

    def command(args: list[str]) -> Any:
        if args[0] != "suite":
            (root,) = [Path(arg.partition("=")[2]) for arg in args if arg.startswith("--trainer.default_root_dir=")]
            (name,) = [arg.partition("=")[2] for arg in args if arg.startswith("--name=")]
            seen.append(f"{args[0]} {root.name} {name}{' +' * ('--ckpt_path=last' in args)}")
        return real(args)

    monkeypatch.setattr(suite_runner, "run_alone", command)
    return seen


@pytest.mark.slow
def test_interrupted_and_resumed(
    commands: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = suite_runner.run_alone

    def killed(args: list[str]) -> Any:
        stop = args[0] == "fit" and "--name=seed_1" in args and "--trainer.default_root_dir=runs/small/mnli" in args
        found = watched([*args, "--trainer.max_steps=2"] if stop else args)
        if stop:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(suite_runner, "run_alone", killed)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert commands == ["fit cola seed_1", "validate cola seed_1", "fit mnli seed_1"]
    assert "cola | mcc" in Path("runs/small/results.md").read_text()
    commands.clear()

    monkeypatch.setattr(suite_runner, "run_alone", watched)
    results = run("--seeds", "1,2")
    assert commands == [
        *("fit mnli seed_1 +", "validate mnli seed_1", "validate mnli seed_1"),
        *("fit cola seed_2", "validate cola seed_2"),
        *("fit mnli seed_2", "validate mnli seed_2", "validate mnli seed_2"),
        next(command for command in commands if command.startswith("predict cola")),
    ]
    assert read_checkpoint("runs/small/mnli/seed_1/version_0/checkpoints/last.ckpt")["global_step"] == 4
    config = yaml.safe_load(Path("runs/small/mnli/seed_2/version_0/config.yaml").read_text())
    assert config["seed_everything"] == config["data"]["init_args"]["seed"] == 2
    assert config["model"]["init_args"]["learning_rate"] == 1e-4

    table = Path("runs/small/results.md").read_text()
    assert json.loads(Path("runs/small/results.json").read_text())["average"]["mean"] == results["average"]["mean"]
    stored = {
        (task, seed): json.loads(Path(f"runs/small/{task}/seed_{seed}/result.json").read_text())["scores"]["validation"]
        for task in ("cola", "mnli")
        for seed in (1, 2)
    }
    means = {}
    for seed in (1, 2):
        cola, mnli = stored["cola", seed]["cola"], stored["mnli", seed]
        means[seed] = (
            (cola["mcc"] + cola["accuracy"]) / 2 + (mnli["mnli"]["accuracy"] + mnli["mm"]["accuracy"]) / 2
        ) / 2
    assert results["average"]["mean"] == pytest.approx(statistics.mean(means.values()))
    assert f"{100 * statistics.mean(means.values()):.2f} ± {100 * statistics.stdev(means.values()):.2f} | 1, 2" in table
    assert table in capsys.readouterr().out

    lines = Path("runs/small/submission/CoLA.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(i) for i in range(24)]
    assert {line.split("\t")[1] for line in lines[1:]} <= {"0", "1"}
    assert zipfile.ZipFile("runs/small/submission.zip").namelist() == ["CoLA.tsv"]

    commands.clear()
    assert run()["average"] == results["average"]
    assert commands == []


def test_options_that_change_and_tasks_that_fail(commands: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run("--seeds=1", "--predict=false", "--trainer.max_steps=2")
    commands.clear()
    run("--seeds=1", "--predict=false", "--trainer.max_steps=2", "--data.num_workers=0")
    assert commands == []
    Path("nyu-mll/glue/mnli/dataset_dict.json").write_text("{")
    broken = {**SUITE["tasks"], "cola": {**SUITE["tasks"]["cola"], "metrics": ["accuracy"]}}
    Path("small.yaml").write_text(
        yaml.safe_dump({**SUITE, "tasks": dict(reversed(broken.items())), "seeds": [1]}, sort_keys=False)
    )
    with pytest.raises(SystemExit, match="error: 1 failed, the rest is done: mnli, seed 1"):
        run("--model.learning_rate", "1e-3")
    assert [command for command in commands if "fit" in command] == ["fit mnli seed_1", "fit cola seed_1"]
    printed = capsys.readouterr().out
    assert "cola, seed 1 starts anew: model.learning_rate, trainer.max_steps changed." in printed
    assert Path("runs/small/cola/seed_1_old_1/result.json").is_file()
    assert "mnli, seed 1 failed: The data set 'nyu-mll/glue/mnli'" in printed
    table = Path("runs/small/results.md").read_text()
    assert "| mnli | accuracy | - | none |" in table
    assert "Failed: mnli, seed 1: " in table
    assert (Path("runs/small/submission/CoLA.tsv")).is_file()


def test_bad_suites_say_so(fails: Callable[..., str]) -> None:
    Path("bad.yaml").write_text("name: bad\ntasks: {a: {config: nowhere.yaml, metrics: [accuracy]}}\n")
    assert "There is no configuration nowhere.yaml in: " in fails("suite", "--config=bad.yaml")
    assert "--config" in fails("suite")
    Path("task.yaml").write_text("model: {class_path: TextClassification}\n")
    for metrics, near in (("acuracy", "accuracy"), ("f1, perpexity", "perplexity"), ("rougeLsun", "rougeLsum")):
        Path("bad.yaml").write_text(f"name: bad\ntasks: {{a: {{config: task.yaml, metrics: [{metrics}]}}}}\n")
        assert f"did you mean {near}?" in fails("suite", "--config=bad.yaml")
    Path("task.yaml").write_text("model: {class_path: my_module.Mine}\n")  # measures what it likes
    check_metrics("a", Task("task.yaml", ["mine"]), "task.yaml")


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("{films: mine.yaml}", "tasks.films is 'mine.yaml'; a mapping would work: films: {config: mine.yaml}."),
        ("[mine.yaml]", "tasks is ['mine.yaml']; a mapping of names would work: tasks: {mine: {config: mine.yaml, "),
        ("mine.yaml", "tasks is 'mine.yaml'; a mapping of names would work"),
        ("{films: }", "tasks.films is null; a mapping would work: films: {config: mine.yaml, metrics: [accuracy]}."),
        (
            "{a: {config: b, also: {other: c.yaml}}}",
            "tasks.a.also.other is 'c.yaml'; a mapping would work: other: {con",
        ),
    ],
)
def test_a_task_is_a_mapping(fails: Callable[..., str], tasks: str, message: str) -> None:
    Path("bad.yaml").write_text(f"name: bad\ntasks: {tasks}\n")
    assert message in fails("suite", "--config=bad.yaml")


def test_a_bad_task_is_said_before_a_good_one_is_trained(commands: list[str], fails: Callable[..., str]) -> None:
    tasks = {**SUITE["tasks"], "last": {**SUITE["tasks"]["cola"], "overrides": {"trainer": {"max_step": 2}}}}
    Path("small.yaml").write_text(yaml.safe_dump({**SUITE, "tasks": tasks}, sort_keys=False))
    message = fails("suite", "--config=small.yaml")
    assert message.startswith("error: The task last: ")
    assert "trainer.max_step" in message
    assert message.count("error") == 1
    assert commands == []
    assert not Path("runs").exists()


def test_tables_and_submissions_by_hand(tmp_path: Path) -> None:
    tasks = {
        "pairs": Task("a", ["f1", "accuracy"]),
        "genres": Task("b", ["accuracy"], also={"others": Part("c", ["accuracy"]), "unlabeled": Part("d")}),
        "hard": Task("e", ["accuracy"], average=False),
    }
    scores = {"genres": {"accuracy": 0.8}, "others": {"accuracy": 0.6}}
    assert mean_score("genres", tasks["genres"], scores) == pytest.approx(0.7)
    done: Any = {
        "pairs": {1: {"pairs": {"f1": 0.9, "accuracy": 0.7}}, 2: {"pairs": {"f1": 0.7, "accuracy": 0.5}}},
        "genres": {1: scores},
        "hard": {},
    }
    results, lines = tabulate(tasks, [1, 2], done)
    assert lines[2:] == [
        "| pairs | f1 | 80.00 ± 14.14 | 1, 2 |",
        "| pairs | accuracy | 60.00 ± 14.14 | 1, 2 |",
        "| genres | accuracy | 80.00 | 1 |",
        "| others | accuracy | 60.00 | 1 |",
        "| hard | accuracy | - | none |",
        "| average | | 75.00 | 1 |",
        "",
        "The average is over pairs, genres; the metrics of each were averaged first, then its parts. "
        "It leaves out hard.",
    ]
    assert results["average"] == {
        "over": ["pairs", "genres"],
        "seeds": {1: pytest.approx(0.75)},
        "mean": 0.75,
        "std": None,
    }

    def formatted(predictions: list[Any], part: Part) -> str:
        (tmp_path / "predictions.jsonl").write_text("".join(json.dumps({"prediction": p}) + "\n" for p in predictions))
        return format_predictions(tmp_path / "predictions.jsonl", part)

    assert formatted([5.5, 2.34567], Part("", submission="STS-B.tsv", range=(0, 5))) == (
        "index\tprediction\n0\t5.000\n1\t2.346\n"
    )
    assert formatted(["neutral"], Part("", submission="MNLI-m.tsv")) == "index\tprediction\n0\tneutral\n"
    story = Part("", submission="tnews10_predict.json", spelling={"story": 100})
    assert formatted(["story"], story) == '{"id": 0, "label": "100"}\n'
    (tmp_path / "predictions.json").write_text('{"q1": "北京"}')
    assert formatted([], Part("", submission="cmrc2018_predict.json")) == '{"q1": "北京"}'


def test_a_task_without_metrics_is_trained_and_not_scored() -> None:
    tasks = {"bare": Task("a"), "alone": Task("b", ["f1"], average=False)}
    done: Any = {"bare": {1: {}, 2: {}}, "alone": {1: {"alone": {"f1": 0.5}}}}
    results, lines = tabulate(tasks, [1, 2], done)
    assert results["average"] == {"over": [], "seeds": {}, "mean": None, "std": None}
    assert lines[2:] == ["| alone | f1 | 50.00 | 1 |", "", "Trained and not scored, without `metrics`: bare."]
    _, lines = tabulate({**tasks, "pairs": Task("c", ["f1"])}, [1], {**done, "pairs": {1: {"pairs": {"f1": 0.25}}}})
    assert "| average | | 25.00 | 1 |" in lines
    assert (
        "The average is over pairs; the metrics of each were averaged first, then its parts. It leaves out alone."
        in (lines)
    )
    assert merit("bare", tasks["bare"], {}, {}) == 0.0  # so that any seed predicts


def test_without_files_there_is_no_submission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(tmp_path / "submission", {"bare": Task("a")})
    assert not (tmp_path / "submission.zip").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "folder"), [pytest.param("glue", "nyu-mll/glue", marks=pytest.mark.slow), ("clue", "clue/clue")]
)
def test_shipped_suites(name: str, folder: str) -> None:
    for case in CASES.values():
        if case.at.startswith(folder):
            write(case)
    write(texts("nyu-mll/glue/ax", "premise hypothesis", NLI, splits=("test",)), rows=5)
    config = Path(pretune.__file__).parent / f"configs/suites/{name}.yaml"
    short = ("--trainer.max_steps=2", "--trainer.enable_progress_bar=false", *OPTIONS)
    results = main(["suite", "--config", str(config), "--seeds=3", *short])
    assert results["average"]["mean"] is not None
    suite = yaml.safe_load(config.read_text())
    parts = [part for task in suite["tasks"].values() for part in (task, *task.get("also", {}).values())]
    assert zipfile.ZipFile(f"runs/{name}/submission.zip").namelist() == [part["submission"] for part in parts]
    if name == "glue":
        assert len(parts) == 11
        assert results["average"]["over"] == [task for task in suite["tasks"] if task != "wnli"]
        assert len(Path("runs/glue/submission/AX.tsv").read_text().splitlines()) == 6
        assert {line.split("\t")[1] for line in Path("runs/glue/submission/RTE.tsv").read_text().splitlines()[1:]} <= {
            "entailment",
            "not_entailment",
        }
