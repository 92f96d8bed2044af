"""Null, for every option of every class of ours: its type has that value, or one message names the option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonargparse import Namespace
from test_slips import MINE, parser

from pretune.cli.mistakes.known_options import PARTS, SECTIONS, classes, options_of
from pretune.cli.mistakes.null_options import refuse_null_options, typed_options
from pretune.errors import InputError

Fails = Callable[..., str]
KINDS = [(part, kind) for part, base in PARTS.items() for kind in classes(base) if "pretune." in kind.__module__]


def fit() -> Any:
    return parser()._subcommands_action.choices["fit"]


@pytest.mark.parametrize(("part", "kind"), KINDS, ids=[kind.__name__ for _, kind in KINDS])
def test_every_option_of_every_class(part: str, kind: type[Any]) -> None:
    options = typed_options(kind)
    assert set(options) == set(options_of(kind))
    path = f"{kind.__module__}.{kind.__name__}"
    for name, (hint, _) in options.items():
        config = Namespace({part: Namespace(class_path=path, init_args=Namespace({name: None}))})
        if type(None) in get_args(hint):
            refuse_null_options(fit(), config)
        else:
            with pytest.raises(InputError, match=rf"^{part}\.{name} is null, which is no value of it"):
                refuse_null_options(fit(), config)


def test_options_that_lie_in_options() -> None:
    path = {"model": "pretune.modules.TextClassification", "data": "pretune.datamodules.CorpusDataModule"}
    for section, kinds in SECTIONS.items():
        part, _, option = section.partition(".")
        for kind in kinds if option else ():
            known = {name: "x" for name, (_, default) in typed_options(kind).items()}
            for name, (hint, _) in typed_options(kind).items():
                inner = Namespace({**known, name: None})
                config = Namespace({part: Namespace(class_path=path[part], init_args=Namespace({option: inner}))})
                if type(None) in get_args(hint):
                    refuse_null_options(fit(), config)
                else:
                    with pytest.raises(InputError, match=rf"^{section}\.{name} is null"):
                        refuse_null_options(fit(), config)


def test_options_of_the_command() -> None:
    for group in ("pace", "checkpoint", "trainer"):
        with pytest.raises(InputError, match=f"^{group} is null, which is no value of it; "):
            refuse_null_options(fit(), {group: None})
    for name in ("untrained", "export_check", "predictions", "seed_everything"):
        with pytest.raises(InputError, match=f"^{name} is null, which is no value of it: left out, it is "):
            refuse_null_options(fit(), {name: None})
    for name in ("max_steps", "accumulate_grad_batches", "devices", "strategy", "overfit_batches"):
        with pytest.raises(InputError, match=rf"^trainer\.{name} is null"):
            refuse_null_options(fit(), {"trainer": {name: None}})
    off = {"early_stopping": None, "recipe": None, "seeds": None, "stop_after": None, "predictions_top": None}
    refuse_null_options(fit(), {**off, "trainer": {"max_epochs": None, "logger": None}})


def test_parts_without_a_class() -> None:
    """An overlay may leave the class to another configuration."""
    for part, base in PARTS.items():
        for given in ({}, {"class_path": f"lightning.{base.__name__}"}):
            with pytest.raises(InputError, match=f"^{part} has no class_path, so nothing says"):
                refuse_null_options(fit(), {part: given})


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"model": {}}, "model has no class_path"),
        ({"model": {"init_args": {}}}, "model has no class_path"),
        ({"data": {}}, "data has no class_path"),
        ({"data": {**MINE["data"], "init_args": {"batch_size": None}}}, "data.batch_size is null"),
        ({"pace": None}, "pace is null"),
        ({"checkpoint": None}, "checkpoint is null"),
        ({"trainer": {"max_steps": None}}, "trainer.max_steps is null, which is no value of it: left out, it is -1"),
    ],
)  # fmt: skip
def test_from_a_file(part: Any, told: str, fails: Fails) -> None:
    Path("mine.yaml").write_text(yaml.safe_dump({**MINE, **part}))
    assert fails("fit", "--config", "mine.yaml").startswith(f"error: {told}")


def test_from_the_command_line(fails: Fails) -> None:
    Path("mine.yaml").write_text(yaml.safe_dump(MINE))
    for given, told in (("--pace=null", "pace is null"), ("--model.learning_rate=null", "model.learning_rate is null")):
        assert fails("fit", "--config", "mine.yaml", given).startswith(f"error: {told}")
