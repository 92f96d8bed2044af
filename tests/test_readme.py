"""README and docs are run: their YAML, their commands in their order, and their Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from hub_server import local_hub
from test_configs import ALSO, SHORT, docs, hub_folder, world  # noqa: F401

import pretune
from pretune.main import main

ROOT = Path(pretune.__file__).parent
WALKS = {
    "readme": "README runs exporting pretraining fine-tuning overfitting speed scaling python components",
    "concepts": "concepts few-labels inspect reports sharing demo",
    "predicting": "predicting",
    "migrating": "migrating",
    "faq": "faq",
    "trackers": "trackers",
    "preparing": "preparing",
}
"""Pages that are followed together, in this order: a page may use what an earlier one has made."""
SMALLER = {
    "mlm.yaml": ("--data.block_size=64",),
    "clm.yaml": ("--data.block_size=64",),
    **{f"{name}.yaml": ("--data.max_length=64",) for name in ("glue", "ner", "swag")},
    "qa.yaml": ("--data.max_length=64", "--data.stride=16"),
    "sums.yaml": ("--data.max_length=64", "--model.generation.max_new_tokens=4"),
}
"""What the small networks of the tests cannot take, or what would take long."""
OWN_TEST = ("adding-an-objective", "adding-a-datamodule")


def page(name: str) -> Path:
    return ROOT / f"{name}.md" if name == "README" else ROOT / "docs" / f"{name}.md"


def text_of(walk: str) -> str:
    return "\n".join(page(name).read_text() for name in WALKS[walk].split())


def blocks(language: str, text: str) -> list[str]:
    """Those of a text in their order; what stands there twice once."""
    return list(dict.fromkeys(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)))


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALL = "\n".join(path.read_text() for path in PAGES)


def commands(text: str) -> list[str]:
    lines = [line for block in blocks("bash", text) for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line.startswith("python main.py")))


def write_files(walk: str) -> None:
    """Write the YAML of a walk's pages, each block under the name in its first line, and mine.yaml."""
    for text in blocks("yaml", page("README").read_text() + text_of(walk)):
        name = re.match(r"# ([\w-]+\.yaml)\b", text)
        assert name, f"a block of YAML without a name:\n{text}"
        assert not Path(name[1]).exists(), f"two blocks are called {name[1]}"
        Path(name[1]).write_text(text)


@pytest.mark.parametrize("walk", WALKS)
def test_commands(
    walk: str,
    world: Path,  # noqa: F811
    tokenizer: Any,
    run: Callable[..., Any],
    fails: Callable[..., str],
) -> None:
    if walk == "trackers" and (find_spec("mlflow") is None or find_spec("sqlalchemy") is None):
        pytest.skip("MLflow is not installed")
    if walk == "preparing" and find_spec("datatrove") is None:
        pytest.skip("datatrove is not installed")
    write_files(walk)
    Path("corrections.jsonl").write_text('{"review": "a film that ends", "stars": "positive"}\n')  # as a page adds it
    Path("configs").symlink_to(ROOT / "configs")
    lines = commands(text_of(walk))
    assert len(lines) >= {"trackers": 4, "preparing": 2}.get(walk, 7)
    for line in lines:
        follow(line, world, tokenizer, run, fails)


def follow(command: str, place: Path, tokenizer: Any, run: Callable[..., Any], fails: Callable[..., str]) -> None:
    """Run a command of the docs, shortened, and see that it does what it says."""
    args = shlex.split(command.removeprefix("python main.py "), comments=True)
    if any(f"configs/trainers/{name}.yaml" in args for name in ("ddp", "fsdp", "nodes")):
        assert torch.cuda.is_available() or "gpu" in fails(*args).lower()
    elif {"--model.help", "--print_config"} & set(args):
        with pytest.raises(SystemExit) as caught:
            main(args)
        assert not caught.value.code
    elif args[0] == "compare":
        assert main([*args, "--resamples", "200"])["metric"] in ("accuracy", "val/accuracy")
    elif args[0] == "report":
        assert "</html>" in main(args).html
    elif args[0] == "export":
        if find_spec("onnxruntime") is not None or "safetensors" in args:
            assert Path(main([*args, "--rows=8", "--worse=1"])["folder"]).is_dir()  # of weights that learned nothing
    elif args[0] == "estimate":
        assert main(args)["parameters"] > 0
    elif args[0] == "inspect":
        assert main(args).rows
    elif args[0] == "benchmark":
        assert main([*args, "--steps=2", "--warmup=1"])["tokens_per_second"] > 0
    elif args[0] == "prepare":
        assert main([*args, "--data.validation_fraction=0.3", "--data.cleaning=null", "--workers=1"]).manifest.documents
    elif args[0] == "push":
        with local_hub() as server:
            assert main(args)["repository"] == "my-name/mood"
            assert bool(server.repos) is ("--dry-run" not in args)
    elif args[0] == "demo":
        show(args, fails)
    elif args[0] == "tune" or "--seeds" in args:
        assert run(*args, "--range_test=false" if args[0] == "tune" else "--trainer.max_epochs=1")
    else:
        if "--ckpt_path" in args and args[0] == "fit":  # the interrupted run: one step less than the short ones
            run("fit", "--config", "mine.yaml", *SHORT, "--trainer.max_steps=2")
        config = next((arg for arg in args if arg.endswith(".yaml")), "")
        for path in [Path(arg) for arg in args if arg.endswith(".yaml")]:
            hub_folder(path, place, tokenizer)
        enough = ("--data.validation_fraction=0.7",) if "calibrated.yaml" in args and args[0] == "fit" else ()
        cli = run(*args, *SHORT, *enough, *{**ALSO, **SMALLER}.get(config.removeprefix("configs/"), ()))
        assert cli.trainer.state.finished, command


def show(args: list[str], fails: Callable[..., str]) -> None:
    """Make a page without serving it, or save it."""
    if find_spec("gradio") is None:
        assert "pip install" in fails(*args)
        return
    from pretune.cli.demo import server

    pages: list[Any] = []
    with patch.object(server, "serve", lambda page, *options: pages.append(page)):
        main([*args, "--trainer.accelerator=cpu"])
    assert len(pages) == ("--save" not in args)
    assert "--save" not in args or Path(args[-1], "app.py").is_file()


def test_every_page_is_followed() -> None:
    """A page with commands or YAML that no test runs would be believed."""
    followed = {name for walk in WALKS.values() for name in walk.split()} | set(OWN_TEST)
    for path in PAGES:
        text = path.read_text()
        if path.stem not in followed:
            assert not blocks("yaml", text) + blocks("python", text) + commands(text), path.name


def test_python(world: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    followed = "".join(text_of(walk) for walk in WALKS)
    for code in blocks("python", followed):
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
    assert 'pip install -c constraints.txt -e ".[dev]"' in ALL
    assert "\nCONSTRAINTS ?= constraints.txt\n" in makefile
    assert '-c $(CONSTRAINTS) -e ".[dev]"' in makefile


def test_the_readme_is_short_and_names_exist() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    from pretune import datamodules, modules

    for name in re.findall(r"^\| `([A-Z]\w+)`", ALL, re.MULTILINE):
        assert hasattr(modules, name) or hasattr(datamodules, name), name


def test_the_chinese_readme_says_the_same() -> None:
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    for language in ("bash", "yaml", "python"):
        found = [re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) for text in (english, chinese)]
        assert found[0] == found[1]
    for pattern in (r"\]\((docs[^)]*|benchmarks[^)]*)\)", r"^\| `(\w+)` \| `(\w+)` \|", r"^#+"):
        assert re.findall(pattern, english, re.MULTILINE) == re.findall(pattern, chinese, re.MULTILINE)
