"""What a run runs on: devices, versions."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from typing import Any

import torch
from lightning.pytorch import Trainer

PACKAGES = ("pretune", "torch", "lightning", "transformers", "tokenizers", "datasets", "peft", "numpy")


def setting(trainer: Trainer) -> dict[str, Any]:
    """Return devices, processes, precision, the system and versions, as plain data.

    Args:
        trainer: with its strategy set up.
    """
    device = trainer.strategy.root_device
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(device.type),
        "processes": trainer.world_size,
        "precision": str(trainer.precision),
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of those that it trains with, as far as they are there."""
    return {"python": sys.version.split()[0], **{name: v for name in PACKAGES if (v := _version(name))}}


def _processor(kind: str) -> str:
    """Return the name of the processor, where the system says it, and its threads."""
    if kind != "cpu":
        return kind
    name = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        pass
    return f"{name or platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
