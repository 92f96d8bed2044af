"""Makes this checkout and the packages that traveled with the data importable, on a machine that has neither."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLACE = ("gpu", "torch", "transformers", "lightning")
"""What a result must share with this machine to count as done."""


def prepare(data: Path) -> None:
    """Puts what is missing on the path, of this process and of those that it starts.

    Args:
        data: may have a folder `wheels`.
    """
    added = []
    if find_spec("pretune") is None:  # the repository's root is the package
        folder = Path(tempfile.mkdtemp(prefix="pretune-"))
        (folder / "pretune").symlink_to(ROOT)
        added.append(str(folder))
    wheels = sorted((data / "wheels").glob("*.whl"))
    missing = [wheel for wheel in wheels if find_spec(_module_of(wheel)) is None]
    if missing:
        site = tempfile.mkdtemp(prefix="site-")
        options = ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--target", site]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *options, *map(str, missing)], check=True)
        added.append(site)
    sys.path[:0] = added
    os.environ["PYTHONPATH"] = os.pathsep.join([*added, *filter(None, [os.environ.get("PYTHONPATH")])])


def _module_of(wheel: Path) -> str:
    name = wheel.name.split("-")[0]
    return {"python_dateutil": "dateutil", "PyYAML": "yaml"}.get(name, name)


def model_with_weights(data: Path, folder: Path) -> Path:
    """A model's folder; where weights did not travel, with new ones: no figure depends on what they are.

    Args:
        data: has a folder `model`.
        folder: for the copy.
    """
    given = data / "model"
    if list(given.glob("*.safetensors")):
        return given
    made = folder / "model"
    if not (made / "config.json").is_file():
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        unfinished = folder / "model.tmp"  # a call may be cut off at any time
        AutoModel.from_config(AutoConfig.from_pretrained(given)).save_pretrained(unfinished)
        AutoTokenizer.from_pretrained(given).save_pretrained(unfinished)
        shutil.rmtree(made, ignore_errors=True)
        unfinished.replace(made)
    return made


def same_place(result: dict[str, Any] | None, where: dict[str, Any]) -> bool:
    """Whether a result is a whole one, of this card and these versions."""
    return (
        result is not None and not result.get("unfinished") and all(result.get(key) == where.get(key) for key in PLACE)
    )
