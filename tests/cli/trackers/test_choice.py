"""What `logger:` may say."""

from __future__ import annotations

from typing import Any

import pytest

from pretune.cli.trackers.choice import chosen_trackers
from pretune.errors import InputError


def test_a_name_options_or_a_list() -> None:
    assert chosen_trackers(None) == []
    assert [c.name for c in chosen_trackers("wandb")] == ["wandb"]
    assert [c.name for c in chosen_trackers(["W&B", "ml-flow", "CometLogger"])] == ["wandb", "mlflow", "comet"]
    (choice,) = chosen_trackers({"name": "wandb", "project": "films", "export": False, "entity": "us"})
    assert (choice.project, choice.export, choice.options) == ("films", False, {"entity": "us"})


def test_what_every_run_writes_anyway() -> None:
    assert [c.name for c in chosen_trackers(["csv", "tensorboard", "aim"])] == ["aim"]
    with pytest.raises(InputError, match="csv takes no options"):
        chosen_trackers({"name": "csv", "project": "films"})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("wnadb", r"no tracker 'wnadb' \(did you mean wandb\?\); there are: wandb, mlflow, comet, aim"),
        ("neptune", "Neptune has been shut down.*wandb, mlflow, comet, aim would work"),
        (["wandb", {"name": "w&b"}], "wandb stands there twice"),
        ({"project": "films"}, "options with one, such as"),
        (True, "logger is True; a name would work"),
        ({"name": "wandb", "export": "no"}, "logger.export is 'no'; true or false would work"),
        ({"name": "wandb", "project": 3}, "logger.project is 3; a text would work"),
        ({"name": "comet", "api_key": "x"}, "logger.api_key: a secret"),
    ],
)
def test_slips(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen_trackers(value)
