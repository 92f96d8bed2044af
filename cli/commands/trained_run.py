"""A trained module and its data, from a run folder, a checkpoint or an export, for a command that trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import modules
from ...checkpoints import locate, read_checkpoint, run_of, stored
from ...errors import InputError
from ...modules.backbone.backbone import Backbone
from ...modules.cards.lineage import LINEAGE
from ...storage.plain_files import read_json
from ..callbacks.save_config import CONFIG
from ..recipes import with_recipe
from .unbuilt import UnbuiltCLI


@dataclass
class TrainedRun:
    """What was found.

    Args:
        folder: of the run; where there is none, that of the weights.
        weights: a `.ckpt` file, or a folder in Hugging Face's format.
        module: an objective or a task; its weights are loaded by `load`, or by a trainer from `weights`.
        data: its datamodule; None where no configuration says which.
    """

    folder: Path
    weights: Path
    module: Any
    data: Any

    @property
    def checkpoint(self) -> Path | None:
        """The weights, where they are a checkpoint."""
        return self.weights if self.weights.suffix == ".ckpt" else None

    def load(self) -> None:
        """Build the network with its weights, without data.

        Raises:
            InputError: if the weights are of another class.
        """
        if self.checkpoint is not None:
            content = read_checkpoint(self.checkpoint)
            self.module.on_load_checkpoint(content)
            self.module.load_state_dict(content["state_dict"])
        else:
            self.module.build()


def find_run(name: str) -> TrainedRun:
    """Return the module that a path means.

    Args:
        name: a run folder, `runs/NAME` (its newest run with weights), a `.ckpt`, or the folder of an export.

    Raises:
        InputError: if nothing usable lies there, or its class is not known.
    """
    weights = locate(name)
    if not isinstance(weights, Path):
        raise InputError(f"There is no file or folder {name} (looked in {Path.cwd()}): a run, such as runs/NAME.")
    run = run_of(weights) if weights.suffix == ".ckpt" else weights.parent if weights.name == "export" else None
    if weights.suffix != ".ckpt" and not (weights / "config.json").is_file():
        raise InputError(f"The folder {name} holds a tokenizer and no model: a run or its export/ would work.")
    best = weights.parent / "checkpoints" / "best.ckpt"
    if run is not None and weights.name == "export" and best.is_file():
        weights = best  # the same weights, and thresholds beside them
    if run is None or not (run / CONFIG).is_file():
        return TrainedRun(weights if weights.is_dir() else weights.parent, weights, _alone(weights), None)
    cli = UnbuiltCLI(with_recipe(["fit", "--config", str(run / CONFIG)]))
    module = cli.model
    if weights.suffix == ".ckpt":
        module.stored = stored(weights)
        module.check_class(module.stored)
    else:
        _check_class(weights, type(module).__name__)
        module.backbone = Backbone(str(weights), trust_remote_code=module.backbone.trust_remote_code)
    return TrainedRun(run, weights, module, cli.datamodule)


def _alone(weights: Path) -> Any:
    """Return the module of weights that lie outside of a run.

    Raises:
        InputError: if they are of no class of this package.
    """
    name = stored(weights).class_name if weights.suffix == ".ckpt" else _class_of(weights)
    kind = getattr(modules, name or "", None)
    if kind is None:
        said = f"is of a {name}, which is no class of this package" if name else "does not say which class it is of"
        raise InputError(f"{weights} {said}: the folder of its run, with a {CONFIG}, would work.")
    if weights.suffix == ".ckpt":
        module = kind.load_from_checkpoint(weights, map_location="cpu")
        module.stored = stored(weights)
        return module
    return kind(str(weights))


def _class_of(export: Path) -> str | None:
    """Return the class that an export was made by, as its configuration says; None where it does not."""
    lineage = read_json(export / "config.json").get(LINEAGE) or [{}]
    name: str | None = lineage[-1].get("class")
    return name


def _check_class(export: Path, name: str) -> None:
    made_by = _class_of(export)
    if made_by not in (None, name):
        raise InputError(
            f"{export} is of a {made_by}, and the {CONFIG} beside it of a {name}: they do not belong together."
        )
