"""`VERB --help` of every verb: its beginning, its order, its width; and that what it says is so."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import pretune
from pretune.cli.arguments import split_arguments
from pretune.cli.commands.parsing import check_options
from pretune.cli.help_text import synopsis
from pretune.cli.run_options import add_run_options
from pretune.cli.verb_options import option_names, option_of, read_all_options, read_options
from pretune.cli.verbs import VERBS
from pretune.main import main as command

ROOT = Path(pretune.__file__).parent
TRAINING = [name for name, verb in VERBS.items() if verb.shared]
OWN = [name for name, verb in VERBS.items() if verb.options]
VALUES = {
    "space": "configs/spaces/bert.yaml",
    "hardware": "h100x8",
    "mfu": "0.3",
    "browser": "true",
    "range_test": "false",
    "split": "test",
    "format": "safetensors",
    "quantize": "int8",
    "executor": "ray",
    "from": "litdata",
}
"""Of options that do not take just any number."""
PLACES = {"compare": ["a", "b"], "report": ["a", "b"], "export": ["a"]}
"""What stands before the options of verbs that take no configuration."""


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("sys.argv", ["main.py"])

    def help_of(*args: str) -> str:
        with pytest.raises(SystemExit) as caught:
            command(args)
        assert not caught.value.code
        assert not Path("runs").exists()
        return capsys.readouterr().out

    return help_of


def example(name: str) -> list[str]:
    """The example that a verb's help prints, as a shell reads it."""
    printed = synopsis(name).partition("example:\n")[2].replace("\\\n", " ")
    words = shlex.split(printed)
    return words[words.index(name) + 1 :]


@pytest.mark.parametrize("name", VERBS)
def test_the_beginning(name: str, help_of: Callable[..., str]) -> None:
    text = help_of(name, "--help")
    lines = text.splitlines()
    assert lines[0].startswith(f"usage: python main.py {name} ")
    assert lines[1] == ""  # the usage is of one line
    where = lines.index("example:")
    assert where <= 6
    assert lines[where + 1].startswith(f"  python main.py {name} ")
    end = next(i for i in range(where, len(lines)) if not lines[i])
    assert end <= 10
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 130


@pytest.mark.parametrize("name", TRAINING)
def test_the_order(name: str, help_of: Callable[..., str]) -> None:
    text = help_of(name, "-h")
    titles = re.findall(r"^(\S[\w ]*):$", text, re.MULTILINE)
    own = [f"options of {name}"] if VERBS[name].options else []
    assert titles == ["example", *own, "options of the run", "model", "data", "trainer"]
    listed = re.findall(r"^  (?:-\w[ \w]*, )?--([\w.]+)", text, re.MULTILINE)
    kind = VERBS[name].load_options()
    first = [*(option_names(kind) if kind else []), VERBS[name].shared[0]]
    assert listed[: len(first)] == first
    assert ("trainer.max_steps" in listed) is VERBS[name].trains
    assert "trainer.barebones" not in listed


@pytest.mark.parametrize("name", ["fit", "tune"])
def test_everything(name: str, help_of: Callable[..., str]) -> None:
    brief, whole = help_of(name, "--help"), help_of(name, "--help", "all")
    hidden = int(re.findall(r"all lists (\d+) more options", brief)[0])
    brief_options, whole_options = (set(re.findall(r"--([\w.]+)", text)) for text in (brief, whole))
    assert {"trainer.barebones", "trainer.max_steps", "predictions_top", "weights_only"} <= whole_options
    assert len(whole_options - brief_options) >= hidden > 20
    assert max(map(len, whole.splitlines())) <= 80
    assert help_of(name, "--help=all") == whole


def test_help_of_a_class(help_of: Callable[..., str]) -> None:
    assert "--model.label_smoothing" in help_of("fit", "--model.help", "TextClassification")
    assert "--data.train_files" in help_of("fit", "--data.help", "CorpusDataModule")
    assert "--early_stopping.patience" in help_of("fit", "--early_stopping.help")


def test_shared_options_are_there() -> None:
    """What the table shows first of the run is declared somewhere."""
    declared: list[str] = []

    class Parser:
        def add_argument(self, name: str, **options: Any) -> None:
            declared.append(name.removeprefix("--"))

    add_run_options(Parser())  # type: ignore[arg-type]
    lightning = {"config", "ckpt_path", "seed_everything", "print_config"}
    for verb in VERBS.values():
        assert set(verb.shared) <= {*declared, *lightning}
    assert set(declared) <= {name for verb in VERBS.values() for name in verb.shared}


@pytest.mark.parametrize("name", VERBS)
def test_the_example_is_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are there, and every option of it is one."""
    monkeypatch.chdir(ROOT)
    args = example(name)
    assert args
    kind: Any = VERBS[name].load_options()
    if VERBS[name].light or name in PLACES:
        assert read_all_options(kind, args)
        return
    assert all(Path(arg).is_file() for arg in args if arg.endswith(".yaml"))
    if name == "suite":
        assert split_arguments(args, option_names(kind)) == (args, [])
        return
    check_options(read_options(kind, args)[1] if kind else args)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option)
        for name in OWN
        if name not in ("suite", "push")
        for option in option_names(VERBS[name].load_options() or int)
    ],
)
def test_each_declared_option_is_taken(name: str, option: str) -> None:
    """And is not handed on."""
    kind: Any = VERBS[name].load_options()
    value, places = VALUES.get(option, "3"), PLACES.get(name, [])
    fields_of = {option_of(field): field.name for field in fields(kind)}
    for words in ([f"--{option}", value], [f"--{option}={value}"]):
        options, others = read_options(kind, [*places, *words, *([] if places else ["--trainer.max_steps=3"])])
        assert str(getattr(options, fields_of[option])).lower() in (value, f"{value}.0")
        assert others == ([] if places else ["--trainer.max_steps=3"])


def test_options_that_no_configuration_takes(mine: Path, fails: Callable[..., str]) -> None:
    Path("trials.yaml").write_text("trials: 5\n")
    said = fails("tune", "--config", mine, "--config", "trials.yaml")
    assert "trials.yaml:1: there is no option trials (--trials is an option of the command line alone)" in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("tune --trails=3", "there is no option --trails (did you mean --trials?)"),
        ("tune --trials", "--trials needs a value: --trials VALUE."),
        ("tune --trials=-1", "--trials is '-1'; a whole number would work."),
        ("tune --range_test=maybe", "--range_test is 'maybe'; true or false would work."),
        ("estimate --mfu=x", "--mfu is 'x'; a number would work."),
        ("compare", "the following arguments are required: RUN_A."),
        ("compare a --metrik=x", "there is no option --metrik (did you mean --metric?); the options are: --metric, "),
        ("compare a b c", "'c' belongs to no option; the options are: --metric, "),
    ],
)
def test_slips(args: str, message: str, fails: Callable[..., str]) -> None:
    assert message in fails(*args.split())
