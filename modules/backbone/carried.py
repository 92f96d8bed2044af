"""Weights of a checkpoint that a network has no place for, and that a later one wants: they go from run to run.

Masked modeling neither trains nor needs the pooler, which a classifier starts from. The heads of pairs go with it,
which are small. The head that foretells words does not outlive a task: it is large, and the body is no longer the one
that it was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from ...text.hub_access import model_options

CARRIED = "carried"
"""The checkpoint entry for them."""
PARTS = ("pooler", "seq_relationship", "sop_classifier")
"""What is carried, as parts of names."""


def is_carried(name: str) -> bool:
    """Return whether a weight of this name is carried where a network has no place for it."""
    return any(part in PARTS for part in name.split("."))


def read_carried(place: Path | str, revision: str | None, prefix: str, unused: list[str]) -> dict[str, Tensor]:
    """Return the weights to be carried, out of the safetensors files of a model.

    Args:
        place: a folder, or a hub id.
        revision: of a hub model.
        prefix: the body's in the names of a network with a head, which files of a body alone do not have.
        unused: names of the weights that have no place.

    Returns:
        Tensors by their names in a network with a head.
    """
    wanted = {_in_body(name, prefix): name for name in unused if is_carried(name)}
    return {name: tensor for name, file in wanted.items() if (tensor := _read(place, revision, file)) is not None}


def _in_body(name: str, prefix: str) -> str:
    return f"{prefix}.{name}" if name.partition(".")[0] == "pooler" else name


def _read(place: Path | str, revision: str | None, name: str) -> Tensor | None:
    from safetensors import safe_open
    from transformers.utils.hub import cached_file

    def find(file: str) -> str | None:
        path: str | None = cached_file(
            str(place), file, _raise_exceptions_for_missing_entries=False, **model_options(place, revision)
        )
        return path

    path = find("model.safetensors")
    if path is None and (index := find("model.safetensors.index.json")) is not None:
        files: dict[str, Any] = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"]
        path = find(files[name]) if name in files else None
    if path is None:
        return None
    with safe_open(path, framework="pt") as content:
        tensor: Tensor | None = content.get_tensor(name) if name in content.keys() else None  # noqa: SIM118
    return tensor
