"""A small foreign project: the wheel, installed where no source tree is, and scripts that use it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from test_packaging import ROOT, python, source_files  # type: ignore[import-not-found]

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is installed."""
    clone, out, site = (tmp_path_factory.mktemp(name) for name in ("clone", "wheel", "site"))
    for name in source_files():
        if not name.startswith(("tests/", "benchmarks/")):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    alone = ("--no-deps", "--no-index")
    python(*pip, "wheel", *alone, "--no-build-isolation", "-w", out, ".", cwd=clone)
    (wheel,) = out.glob("*.whl")
    python(*pip, "install", *alone, "--no-compile", "--target", site, wheel, cwd=out)
    return site


@pytest.fixture(scope="session")
def environment(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a process that sees the installed copy alone."""
    own = {
        "PYTHONPATH": str(site), "PRETUNE_CACHE": str(tmp_path_factory.mktemp("cache")), "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    # What an earlier test of this process may have left behind.
    left_out = (
        *("PL_GLOBAL_SEED", "LOCAL_RANK", "RANK", "WORLD_SIZE", "NODE_RANK", "GROUP_RANK"),
        *("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"),
    )
    return {name: value for name, value in os.environ.items() if name not in left_out} | own


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder."""
    folder = tmp_path_factory.mktemp("project")
    for script in PROJECT.glob("*.py"):
        shutil.copyfile(script, folder / script.name)
    specification = importlib.util.spec_from_file_location("material", folder / "material.py")
    assert specification is not None
    assert specification.loader is not None
    module: ModuleType = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.make(folder)
    return folder


@pytest.fixture(scope="session")
def reports(material: Path, environment: dict[str, str]) -> Callable[..., dict[str, str]]:
    """Runs a script once; what became of its checks, by name."""
    known: dict[str, dict[str, str]] = {}

    def report(script: str, *before: str, result: str | None = None) -> dict[str, str]:
        if script not in known:
            known[script] = {}  # one that breaks off is not run again for each of its checks
            for name in (*before, script):
                done = subprocess.run(
                    [sys.executable, "-W", "ignore", name], cwd=material, env=environment, capture_output=True,
                    text=True, timeout=180,
                )  # fmt: skip
                assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
            for found in sorted(material.glob(result or script.replace(".py", ".json"))):
                for name, outcome in json.loads(found.read_text()).items():
                    if known[script].get(name, "ok") == "ok":
                        known[script][name] = outcome
        return known[script]

    return report
