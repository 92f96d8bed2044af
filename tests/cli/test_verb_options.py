"""Options that a dataclass declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from pretune.cli.commands.push import PushOptions
from pretune.cli.verb_options import option_names, options_parser, read_all_options, read_options
from pretune.errors import InputError


@dataclass(frozen=True)
class Sample:
    """What is asked.

    Args:
        run: a folder.
        steps: how many, 100% of them.
        share: of the whole.
        fast: whether to hurry.
        split: which part.
        file: where to write.
    """

    run: str = field(metadata={"positional": True})
    steps: int = 3
    share: float | None = None
    fast: bool = False
    split: Literal["train", "test"] = "test"
    file: str | None = field(default=None, metadata={"metavar": "FILE"})


def test_what_is_read() -> None:
    assert read_all_options(Sample, ["r"]) == Sample("r")
    args = ["--steps=4", "r", "--share", "0.5", "--fast=True", "--split", "train", "--file=a b"]
    assert read_all_options(Sample, args) == Sample("r", 4, 0.5, True, "train", "a b")
    assert read_all_options(Sample, ["r", "--share=0.5", "--share=null", "--steps=5", "--steps=6"]) == Sample("r", 6)
    assert option_names(Sample) == ["steps", "share", "fast", "split", "file"]


def test_others_are_left() -> None:
    args = ["r", "--model.steps=9", "--steps=4", "--step=9", "--trainer.max_steps", "-1"]
    assert read_options(Sample, args) == (
        Sample("r", 4), ["--model.steps=9", "--step=9", "--trainer.max_steps", "-1"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("--steps=²", "--steps is '²'; a whole number would work."),
        ("--steps=1.5", "--steps is '1.5'; a whole number would work."),
        ("--share=half", "--share is 'half'; a number would work."),
        ("--fast=yes", "--fast is 'yes'; true or false would work."),
        ("--split=dev", "--split is 'dev'; train, test would work."),
        ("--file", "--file needs a value: --file VALUE."),
    ],
)
def test_what_is_refused(arg: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_options(Sample, ["r", arg])
    assert str(caught.value) == message


def test_the_docstring_describes_them() -> None:
    text = " ".join(options_parser(Sample, describe=True).format_help().split())
    for line in (
        "RUN A folder.",
        "--steps STEPS How many, 100% of them. (type: int, default: 3)",
        "--share SHARE Of the whole. (type: float | null)",
        "--fast {true,false} Whether to hurry. (type: bool, default: False)",
        "--split {train,test} Which part. (type: str, default: test)",
        "--file FILE Where to write. (type: str | null)",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("words", "private", "dry_run"),
    [([], False, False), (["--private"], True, False), (["--dry-run"], False, True), (["--dry_run"], False, True)],
)
def test_a_flag_needs_no_value(words: list[str], private: bool, dry_run: bool) -> None:
    for args in (["runs/a", "me/a", *words], [*words, "runs/a", "me/a"]):
        options = read_all_options(PushOptions, args)
        assert (options.run, options.repository, options.private, options.dry_run) == (
            "runs/a", "me/a", private, dry_run
        )  # fmt: skip
