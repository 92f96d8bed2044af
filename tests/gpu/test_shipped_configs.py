"""Every YAML of `configs/` trains two steps on the device, at its own precision."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_configs as own  # type: ignore[import-not-found]
import test_data_configs as public  # type: ignore[import-not-found]
import torch
from gpu_support import ACCELERATOR, NULL, holds, some
from test_configs import docs, hub, world  # type: ignore[import-not-found]  # noqa: F401
from test_data_configs import backbones  # type: ignore[import-not-found]  # noqa: F401

SHORT = (
    "--trainer.max_steps=2",
    "--trainer.limit_val_batches=2",
    "--trainer.val_check_interval=1.0",
    "--trainer.num_sanity_val_steps=0",
    "--data.batch_size=4",
)
OVERLAYS = [name for name in own.ALL if name.startswith(("recipes/", "trainers/")) and "nodes" not in name]


def trained(cli: Any) -> None:
    """Two steps were taken, there."""
    holds(cli.trainer.global_step == 2)  # where all is 0, nothing gets better, and the run stops
    assert type(cli.trainer.accelerator).__name__ == {"gpu": "CUDAAccelerator", "cpu": "CPUAccelerator"}[ACCELERATOR]
    assert (cli.run.folder / "export/model.safetensors").is_file()
    assert NULL or all(bool(p.isfinite().all()) for p in cli.model.parameters())


@pytest.mark.parametrize("name", some(own.EXPERIMENTS, ["pretrain/replaced_token.yaml", "finetune/ner.yaml"]))
def test_experiments(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:  # noqa: F811
    if name in ("quickstart/pretrained.yaml", "quickstart/scratch.yaml"):  # one has its weights, both its tokenizer
        run("fit", "--config", own.CONFIGS / "quickstart/pretrain.yaml", *SHORT)
    trained(run("fit", "--config", own.CONFIGS / name, *SHORT, *own.ALSO.get(name, ())))


@pytest.mark.parametrize("name", some(own.BACKBONES, ["backbones/t5-tiny.yaml"]))
def test_backbones(name: str, world: Path, hub: None, run: Callable[..., Any]) -> None:  # noqa: F811
    found = re.search(r"\((encoder|decoder|encoder-decoder)\)\.\n", (own.CONFIGS / name).read_text())
    assert found is not None
    experiment = own.CONFIGS / f"pretrain/{own.OBJECTIVES[found[1]]}.yaml"
    if NULL and found[1] == "encoder-decoder":
        pytest.skip("span_denoising: shapes are results of the device")
    stride = ("--data.eval_stride=32",) if found[1] == "decoder" else ()
    sizes = ("--data.block_size=64", *stride)
    trained(run("fit", "--config", experiment, "--config", own.CONFIGS / name, *SHORT, *sizes))


@pytest.mark.parametrize("name", some(OVERLAYS, ["trainers/ddp.yaml"]))
def test_overlays(name: str, world: Path, run: Callable[..., Any]) -> None:  # noqa: F811
    if NULL and ("ddp" in name or "fsdp" in name):
        pytest.skip("there is no nccl")
    trained(run("fit", "--config", own.CONFIGS / "finetune/sentiment.yaml", "--config", own.CONFIGS / name, *SHORT))
    assert torch.distributed.is_initialized() == ("ddp" in name or "fsdp" in name)


@pytest.mark.parametrize("name", some(list(public.CASES), ["glue/stsb"]))
def test_public_data(name: str, backbones: Path, tmp_path: Path, run: Callable[..., Any]) -> None:  # noqa: F811
    for folder in backbones.iterdir():
        shutil.copytree(folder, tmp_path / folder.name)
    public.write(public.CASES[name])
    trained(run("fit", "--config", public.CONFIGS / f"{name}.yaml", *public.SHORT, *public.CASES[name].more))
