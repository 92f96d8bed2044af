"""README and docs are run: their YAML, their commands in their order, and their Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_configs import ALSO, SHORT, docs, hub_folder, world  # noqa: F401

import pretune
from pretune.main import main

ROOT = Path(pretune.__file__).parent
ORDER = ("runs", "pretraining", "fine-tuning", "overfitting", "speed", "scaling", "python", "components")
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ORDER),
    *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / f"{name}.md" for name in ORDER}),
]
"""A page may use what an earlier one has made; those about adding components have a test of their own."""
TEXT = "\n".join(page.read_text() for page in PAGES if not page.name.startswith("adding-"))


def blocks(language: str) -> list[str]:
    """Those of all pages in their order; what stands on two pages once."""
    return list(dict.fromkeys(re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)))


COMMANDS = list(
    dict.fromkeys(line for block in blocks("bash") for line in block.splitlines() if line.startswith("python main.py"))
)


def test_commands(
    world: Path,  # noqa: F811
    tokenizer: Any,
    run: Callable[..., Any],
    fails: Callable[..., str],
) -> None:
    (mine,) = [text for text in blocks("yaml") if "# mine.yaml" in text]
    Path("mine.yaml").write_text(mine)
    for name in ("corpus.yaml", "forgetting.yaml", "probe.yaml"):
        (overlay,) = [text for text in blocks("yaml") if f"# {name}" in text]
        Path(name).write_text(overlay)
    Path("configs").symlink_to(ROOT / "configs")
    assert len(COMMANDS) >= 14
    for command in COMMANDS:
        args = shlex.split(command.removeprefix("python main.py "), comments=True)
        if any(f"configs/trainers/{name}.yaml" in args for name in ("ddp", "fsdp", "nodes")):
            assert torch.cuda.is_available() or "gpu" in fails(*args).lower()
            continue
        if "--model.help" in args:
            with pytest.raises(SystemExit) as caught:
                main(args)
            assert not caught.value.code
            continue
        if args[0] == "compare":
            assert main([*args, "--resamples", "200"])["metric"] in ("accuracy", "val/accuracy")
            continue
        if args[0] == "estimate":
            assert main(args)["parameters"] > 0
            continue
        if args[0] == "benchmark":
            assert main([*args, "--steps=2", "--warmup=1"])["tokens_per_second"] > 0
            continue
        if args[0] == "tune" or "--seeds" in args:
            assert run(*args, "--range_test=false" if args[0] == "tune" else "--trainer.max_epochs=1")
            continue
        if "--ckpt_path" in args:  # the interrupted run: one step less than the short ones
            run("fit", "--config", "mine.yaml", *SHORT, "--trainer.max_steps=2")
        (config, *_) = [arg for arg in args if arg.endswith(".yaml")]
        if config.startswith("configs/finetune/"):
            hub_folder(ROOT / config, world, tokenizer)
        cli = run(*args, *SHORT, *ALSO.get(config.removeprefix("configs/"), ()))
        assert cli.trainer.state.finished, command


def test_python(world: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    for code in blocks("python"):
        exec(
            compile(
                code.replace("Trainer(", "Trainer(accelerator='cpu', max_steps=3, logger=False, "), "README", "exec"
            ),
            {},
        )
    assert "label" in capsys.readouterr().out
    assert Path("sentiment/model.safetensors").is_file()


def test_pip_lines_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert 'pip install -c constraints.txt -e ".[dev]"' in TEXT
    assert "\nCONSTRAINTS ?= constraints.txt\n" in makefile
    assert '-c $(CONSTRAINTS) -e ".[dev]"' in makefile


def test_links_and_names_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    from pretune import datamodules, modules

    for name in re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE):
        assert hasattr(modules, name) or hasattr(datamodules, name), name


def test_the_chinese_readme_says_the_same() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    for language in ("bash", "yaml", "python"):
        found = [re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) for text in (english, chinese)]
        assert found[0] == found[1]
    for pattern in (r"\]\((docs[^)]*|benchmarks[^)]*)\)", r"^\| `(\w+)` \| `(\w+)` \|", r"^#+"):
        assert re.findall(pattern, english, re.MULTILINE) == re.findall(pattern, chinese, re.MULTILINE)
