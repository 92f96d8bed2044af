"""A trained model in a form that others run: `python main.py export RUN --format onnx`."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import InputError, check_range
from ...modules.export import export_adapters
from ...modules.portable.onnx_export import GRAPH, refuse_missing_packages
from ...storage.disk import refuse_unwritable
from ...storage.whole_folders import swapped_in
from ..verb_options import read_all_options
from .export_onnx import export_onnx
from .trained_run import TrainedRun, find_run

FOLDERS = {"onnx": "onnx", "safetensors": "export", "adapters": "adapter"}
"""In the folder of the run, by format; `fit` writes the last two itself."""


@dataclass(frozen=True)
class ExportOptions:
    """What `export` is asked.

    Args:
        run: a run folder, runs/NAME, a .ckpt file or an export.
        format: onnx runs by onnxruntime, without torch; safetensors is what fit writes; adapters are they alone.
        quantize: int8 makes the graph smaller and, on most processors, faster; of onnx.
        output: the folder to write; null means onnx, onnx-int8, export or adapter in that of the run.
        rows: of the validation part that scores are compared on.
        tolerance: how far outputs may be from the model's, as a share of the largest; null means 0.001, of int8 0.5.
        worse: how much worse the score may be, as a share of it.

    Raises:
        InputError: if a number is out of range, or options do not go together.
    """

    run: str = field(metadata={"positional": True})
    format: Literal["onnx", "safetensors", "adapters"] = "onnx"
    quantize: Literal["none", "int8"] = "none"
    output: str | None = field(default=None, metadata={"metavar": "FOLDER"})
    rows: int = 256
    tolerance: float | None = field(default=None, metadata={"metavar": "SHARE"})
    worse: float = field(default=0.02, metadata={"metavar": "SHARE"})

    def __post_init__(self) -> None:
        check_range("--rows", self.rows, least=1)
        check_range("--tolerance", self.tolerance, above=0, below=math.inf)
        check_range("--worse", self.worse, least=0, below=math.inf)
        if self.quantize != "none" and self.format != "onnx":
            raise InputError(f"--quantize {self.quantize} is of --format onnx: leave one of them out.")


def run_export(args: Sequence[str]) -> dict[str, Any]:
    """Export a trained model, compared with the original before it takes its name.

    An ONNX export holds model.onnx, tokenizer.json and predict.py, which needs onnxruntime, tokenizers and numpy alone.
    Its outputs are compared with the model's on rows of the run's validation part, in several shapes; then its score,
    and how long both take. What is too far away is not written.

    Args:
        args: what stands after `export` (`ExportOptions`).

    Returns:
        The folder, and for ONNX the figures as printed.

    Raises:
        InputError: if there is no such run, it is of another class, or the export would not be what was trained.
    """
    options = read_all_options(ExportOptions, args)
    if options.format == "onnx":
        refuse_missing_packages()
    run = find_run(options.run)
    folder = _folder(run, options)
    if options.format == "onnx":
        return export_onnx(run, folder, options)
    run.load()
    if options.format == "adapters":
        if not run.module.backbone.adapters:
            raise InputError(f"{options.run} has no adapters (model.backbone.lora): --format safetensors would work.")
        with swapped_in(folder) as place:
            export_adapters(run.module, place)
    else:
        _write_whole(run, folder)
    return {"folder": str(folder)}


def _write_whole(run: TrainedRun, folder: Path) -> None:
    """Write what `fit` does; the card of an export that lies there already knows more of its training, and stays."""
    card = folder / "README.md"
    with swapped_in(folder) as place:
        run.module.save_pretrained(place)
        if card.is_file():
            shutil.copyfile(card, place / "README.md")


def _folder(run: TrainedRun, options: ExportOptions) -> Path:
    """Return where to write.

    Raises:
        InputError: if something else lies there, or what is exported; or it cannot be written.
    """
    name = FOLDERS[options.format] + ("-int8" if options.quantize == "int8" else "")
    folder = Path(options.output) if options.output else run.folder / name
    if folder.resolve() == run.weights.resolve():
        raise InputError(f"{folder} is what is exported: another --output would work.")
    ours = any((folder / file).is_file() for file in (GRAPH, "config.json", "adapter_config.json"))
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there and is no export: another --output would work.")
    refuse_unwritable(folder)
    return folder
