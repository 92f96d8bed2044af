"""Configurations that no parser should read: one message, with file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pretune.cli.mistakes.written import check_configurations, read_written
from pretune.errors import InputError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

WRONG = {
    "not utf-8": (b"trainer: {}\nname: caf\xe9\n", "mine.yaml:2: byte 21 (0xE9) is not utf-8"),
    "utf-16": ("name: a\n".encode("utf-16"), "mine.yaml is UTF-16"),
    "tab": (b"trainer:\n\tmax_epochs: 1\n", "mine.yaml:2:1: the configuration is not YAML"),
    "unfinished": (b"trainer: {max_epochs: 1\n", "mine.yaml:2:1: the configuration is not YAML"),
    "indentation": (b"trainer:\n  a: 1\n   b: 2\n", "mine.yaml:3:5: the configuration is not YAML"),
    "control": (b'name: "a\x00b"\n', "mine.yaml: the configuration is not YAML"),
    "tag": (b"name: !!python/object/apply:os.getcwd []\n", "mine.yaml:1:7"),
    "unknown alias": (b"name: *a\n", "mine.yaml:1: *a stands for nothing"),
    "two documents": (b"name: a\n---\nname: b\n", "mine.yaml:2:1"),
    "date": (b"name: 2026-99-99\n", "mine.yaml: the configuration is not YAML: month must be in"),
    "empty": (b"# nothing\n", "mine.yaml holds no option"),
    "list": (b"- a\n- b\n", "mine.yaml is no configuration: it holds a list"),
    "text": (b"text,label\na film,1\n", "--data.train_files"),
    "twice": (
        b"trainer: {a: 1}\nname: x\ntrainer: {b: 1}\n",
        "mine.yaml:3: trainer stands there twice (first in line 1)",
    ),
    "twice below": (b"trainer:\n  a: 1\n  a: 2\n", "mine.yaml:3: trainer.a stands there twice (first in line 2)"),
    "aliases": (f"{BOMB}trainer: *i\n".encode(), "mine.yaml:5: aliases (*name) stand for 111,111 values"),
    "of itself": (b"trainer: &a {b: *a}\n", "mine.yaml:1: *a stands for what it is part of"),
    "no options": (b"name: a\ntrainer: 5\n", "mine.yaml:2: trainer is 5; options below `trainer:` would work"),
    "deep": (b"a: " + b"[" * 5000 + b"]" * 5000, "nested more than 100 levels deep"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_configuration(kind: str) -> None:
    content, message = WRONG[kind]
    Path("mine.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        check_configurations(["fit", "--config", "mine.yaml"])
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_one() -> None:
    """Anchors, merges, lists of the same keys, a mark of the byte order, and large files without aliases."""
    text = "base: &b {x: 1}\nother: {<<: *b, y: 2}\nentries: [{x: 1}, {x: 2}]\nlong: [" + "1, " * 120_000 + "1]\n"
    Path("mine.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    written = read_written("mine.yaml")
    assert written is not None
    assert written.values["other"] == {"x": 1, "y": 2}
    assert written.place(["entries", "1", "x"]) == "mine.yaml:3"
    assert read_written('{"trainer": {"max_epochs": 1}}').values == {"trainer": {"max_epochs": 1}}  # type: ignore[union-attr]
    assert read_written("s3://somewhere/mine.yaml") is None


def test_files_that_are_not_there() -> None:
    Path("mine.yaml").write_text("name: a\n")
    Path("run/version_3").mkdir(parents=True)
    Path("run/version_3/config.yaml").write_text("name: a\n")
    for given, message in (
        ("mien.yaml", "there is no file 'mien.yaml' (did you mean mine.yaml"),
        ("maskd.yaml", "configs/pretrain/masked.yaml"),
        ("run", "--config run/version_3/config.yaml would work"),
        ("", "--config needs a value"),
        ("--trainer.max_steps", "--config needs a value"),
    ):
        with pytest.raises(InputError) as caught:
            check_configurations(["fit", "--config", given])
        assert message in str(caught.value)


def test_the_command_line_says_it(fails: Callable[..., str]) -> None:
    """Of parts, too, and of every command."""
    Path("latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert "latin.yaml:1: byte 9" in fails("fit", "--config", "latin.yaml")
    assert "latin.yaml:1: byte 9" in fails("fit", "-c", "latin.yaml")
    assert "latin.yaml:1: byte 9" in fails("tune", "--config=latin.yaml")
    assert "latin.yaml:1: byte 9" in fails("fit", "--trainer", "latin.yaml")
