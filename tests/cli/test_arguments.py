"""A command line that is divided by its options."""

from __future__ import annotations

from pretune.cli.arguments import split_arguments, values_of, without


def test_each_keeps_its_order() -> None:
    args = [
        "--config", "a.yaml", "--model.backbone", "x", "--overrides.data.seed=1", "--seeds=1,2", "--config=b.yaml",
        "--seeds+", "3", "--data.train_files=[a, -b]", "--trainer.max_steps", "-1", "stray",
    ]  # fmt: skip
    own, others = split_arguments(args, ["config", "overrides", "seeds"])
    assert own == ["--config", "a.yaml", "--overrides.data.seed", "1", "--seeds", "1,2", "--config", "b.yaml",
                   "--seeds+", "3"]  # fmt: skip
    assert others == ["--model.backbone", "x", "--data.train_files=[a, -b]", "--trainer.max_steps", "-1", "stray"]


def test_names_that_only_begin_alike() -> None:
    args = ["--name=mine", "--names=x", "--trainer.default_root_dir", "runs", "--trainer.default_root", "x"]
    assert without(args, "name", "trainer.default_root_dir") == ["--names=x", "--trainer.default_root", "x"]


def test_values() -> None:
    assert values_of(["--name", "a", "--name=b=c", "--names=x"], "name") == ["a", "b=c"]
    assert without(["--name"], "name") == []
