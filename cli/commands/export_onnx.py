"""An ONNX export of a run: written, compared in outputs and score, timed, and only then put in its place."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor
from typing_extensions import override

from ...errors import InputError, first_line
from ...modules.portable.comparison import Difference, by_network, by_session, joined, latencies, owners_of
from ...modules.portable.graph import input_names, whole_network
from ...modules.portable.onnx_export import (
    GRAPH,
    PLAIN,
    TOLERANCE,
    compare,
    exporting,
    replace_by_int8,
    warn_of_unwritten,
    without_temperature,
    write_onnx,
)
from ...modules.portable.rows import made_up_rows, plain_rows
from ...modules.portable.session import Session, standing_in
from ...modules.portable.settings import arguments_of, script_of
from ...storage.checksums import write_checksums
from ...storage.whole_folders import swapped_in
from ..terminal import say
from .how_scored import how_scored
from .trained_run import TrainedRun, find_run

if TYPE_CHECKING:
    from .export import ExportOptions

CALLS = 4
"""How many calls of the network are compared output by output."""
BATCHES = (1, 32)
"""Rows that latencies are of."""


@dataclass(frozen=True)
class Scored:
    """A validation.

    Args:
        name: of the monitored metric.
        value: of the network.
        falls: whether lower is better.
    """

    name: str
    value: float
    falls: bool

    def worse(self, other: float) -> float:
        """Return by which share of the network's score another one is worse; 0 where it is as good."""
        return max(0.0, (other - self.value) * (1 if self.falls else -1)) / max(abs(self.value), 1e-9)


def export_onnx(run: TrainedRun, folder: Path, options: ExportOptions) -> dict[str, Any]:
    """Write an ONNX export, and say how it compares.

    Args:
        run: that is exported.
        folder: to write.
        options: of the verb.

    Returns:
        The folder and the figures.

    Raises:
        InputError: if ONNX cannot carry the network, or outputs or score are too far away.
    """
    run, watch, scored = _validated(run, options)
    module = run.module
    module.eval()
    names = input_names(module)
    batches, owners = [plain_rows(call, names) for call in watch.calls], watch.owners
    if not batches:
        batches = [plain_rows(made_up_rows(module), names)]
        owners = [list(range(len(batches[0]["input_ids"])))]
    with swapped_in(folder) as place, exporting(module):
        network = whole_network(module)
        rank_zero_info(f"Writing {type(network).__name__} as ONNX.")
        sessions = {"onnx": write_onnx(module, network, place)}
        found = {"onnx": compare(network, sessions["onnx"], batches, _tolerance(options, "none"), place)}
        if options.quantize == "int8":
            sessions["onnx int8"] = replace_by_int8(place)
            found["onnx int8"] = compare(network, sessions["onnx int8"], batches, _tolerance(options, "int8"), place)
        scores = {name: _score(run, session, scored, options) for name, session in sessions.items()}
        if scored is not None:
            _refuse_worse(scored, scores, options)
        seconds = _seconds(network, sessions, batches, owners)
        for left in place.glob(f"{PLAIN}*"):
            left.unlink()
        write_checksums(place)
        size = sum(file.stat().st_size for file in place.glob(f"{GRAPH}*"))
    say(_table(found, scores, scored, seconds))
    rows = len({owner for of in owners for owner in of})
    say(_compared_on(rows, found["onnx"], watch) + how_scored(scored, run.folder, options.rows))
    warn_of_unwritten(module)
    command = f"python {folder / 'predict.py'} {arguments_of(script_of(module))}"
    say(f"Exported to {folder} ({size / 1e6:.1f} MB). Without torch: {command}")
    figures = {name: {"difference": f.largest, "share": f.share} for name, f in found.items()}
    return {
        "folder": str(folder),
        "compared": figures,
        "rows": rows,
        "real_rows": bool(watch.calls),
        "metric": scored.name if scored else None,
        "scores": {"torch": scored.value if scored else None, **scores},
        "seconds": seconds,
        "bytes": size,
    }


# ---------------------------------------------------------------------- rows and scores


def _validated(run: TrainedRun, options: ExportOptions) -> tuple[TrainedRun, _Watch, Scored | None]:
    """Score a run on its validation part, and take down what its network was given.

    Returns:
        The run with its network; what that was called with; and the score. Where the data are not there, nothing was
        taken down, and there is no score.
    """
    if run.data is None:
        run.load()
        rank_zero_warn(
            f"{run.weights} lies in no run, so that its data are not known: rows of made-up tokens are compared."
        )
        return run, _Watch(), None
    module = run.module
    _plainly(run)
    try:
        watch, value = _validate(run, options)
    except (InputError, OSError) as error:
        again = find_run(str(run.checkpoint or run.weights))
        again.load()
        rank_zero_warn(
            f"The data of the run cannot be read, so that rows of made-up tokens are compared, and no score: "
            f"{first_line(error)}"
        )
        return again, _Watch(), None
    if value is None:
        return run, watch, None
    return run, watch, Scored(module.monitor, value, module.mode == "min")


def _plainly(run: TrainedRun) -> None:
    """Have a run compute as a graph does: rows of their own, every place, and nothing written, which takes long."""
    for owner, options in (
        (run.module, {"shortcuts": False, "generate_in_validation": False, "prompts": []}),
        (run.data, {"packing": False}),
    ):
        for option, value in options.items():
            if hasattr(owner, option):
                setattr(owner, option, value)


def _validate(run: TrainedRun, options: ExportOptions, loads: bool = True) -> tuple[_Watch, float | None]:
    """Return what the network was called with, and the score."""
    watch = _Watch()
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision="32-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=max(1, options.rows // max(1, run.data.batch_size)),
        callbacks=[watch],
    )
    checkpoint = str(run.checkpoint) if loads and run.checkpoint is not None else None
    found = trainer.validate(run.module, datamodule=run.data, ckpt_path=checkpoint, verbose=False)
    value = found[0].get(run.module.monitor) if found else None
    return watch, None if value is None else float(value)


class _Watch(Callback):
    """Takes down what a network is called with first, and keeps thresholds, which a validation sets anew."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.owners: list[list[int]] = []
        """Of each call the row of the data that each of its rows belongs to."""
        self.kind = "rows"
        """What the rows of a call are of those of the data: `endings` or `windows`, where they are not the same."""
        self._rows, self._of_batch = 0, list[int]()
        self._kept: dict[str, Tensor] = {}
        self._handle: Any = None

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module: Any = pl_module
        self._kept = {n: t.clone() for n, t in module.state_dict().items() if not n.startswith("model.")}
        self._handle = module.model.register_forward_pre_hook(self._take, with_kwargs=True)

    @override
    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._of_batch = owners_of(batch, self._rows)
        self._rows += len(batch["input_ids"])
        self.kind = "endings" if batch["input_ids"].ndim == 3 else "windows"

    def _take(self, network: Any, args: Any, given: dict[str, Any]) -> None:
        if len(self.calls) < CALLS and isinstance(given.get("input_ids"), Tensor):
            self.owners.append(self._of_batch)
            self.calls.append({k: v.detach().clone() if isinstance(v, Tensor) else v for k, v in given.items()})

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._handle.remove()
        now = pl_module.state_dict()
        for name, value in self._kept.items():
            now[name].copy_(value)


def _score(run: TrainedRun, session: Session, scored: Scored | None, options: ExportOptions) -> float | None:
    """Return the score of a graph in the place of the network."""
    if scored is None:
        return None
    logging.disable(logging.INFO)  # what the data say of themselves was said
    try:
        with standing_in(run.module.model, session), without_temperature(run.module):
            return _validate(run, options, loads=False)[1]
    finally:
        logging.disable(logging.NOTSET)


def _refuse_worse(scored: Scored, scores: dict[str, float | None], options: ExportOptions) -> None:
    for name, value in scores.items():
        if value is None or not scored.worse(value) <= options.worse:
            raise InputError(
                f"{scored.name} of the {name} graph is {value:.4f}, the model's {scored.value:.4f}: worse by more than "
                f"{options.worse:.1%} of it. Nothing was written; more --rows, a higher --worse"
                f"{', or no --quantize' if 'int8' in name else ''} would work."
            )


def _tolerance(options: ExportOptions, kind: str) -> float:
    """Return the bound for outputs; one that the user gives is that of what is written."""
    return options.tolerance if options.tolerance is not None and kind == options.quantize else TOLERANCE[kind]


# ---------------------------------------------------------------------- latency and the table


def _compared_on(rows: int, found: Difference, watch: _Watch) -> str:
    """Return in words what was compared: rows as the data have them, and of what a network is given how many."""
    parts = f" ({found.rows:,} {watch.kind})" if found.rows != rows else ""
    where, shapes = "validation" if watch.calls else "made-up tokens", ", ".join(found.shapes[:6])
    return f"Compared on {rows:,} {'row' if rows == 1 else 'rows'} of {where}{parts}, in the shapes {shapes}."


def _seconds(
    network: Any, sessions: dict[str, Session], batches: list[dict[str, Tensor]], owners: list[list[int]]
) -> dict[str, dict[int, float]]:
    """Return seconds for a call by what computes and rows, as the data have them: with all endings, or windows."""
    found: dict[str, dict[int, float]] = {name: {} for name in ("torch", *sessions)}
    for count in BATCHES:
        rows, whole = joined(batches, owners, count)
        computing = {"torch": by_network(network, rows)}
        computing |= {name: by_session(session, rows) for name, session in sessions.items()}
        for name, seconds in latencies(computing).items():
            found[name][whole] = seconds
    return found


def _table(
    found: dict[str, Difference],
    scores: dict[str, float | None],
    scored: Scored | None,
    seconds: dict[str, dict[int, float]],
) -> str:
    counts = list(seconds["torch"])
    titles = ["", *(f"{n} row{'s' if n > 1 else ''}, ms" for n in counts), "largest difference"]
    lines = [[*titles, *([scored.name, "change"] if scored else [])]]
    lines.append(["---"] * len(lines[0]))
    for name, times in seconds.items():
        first = seconds["torch"]
        cells = [
            f"{1e3 * times[n]:.2f}" + (f" ({first[n] / times[n]:.2f}x)" if name != "torch" else "") for n in counts
        ]
        away = found.get(name)
        cells.append("" if away is None else f"{away.largest:.2g} ({away.share:.2g} of the largest)")
        if scored:
            value = scores.get(name)
            cells.append(f"{scored.value if value is None else value:.4f}")
            cells.append("" if value is None else f"{value - scored.value:+.4f}")
        lines.append([name if name != "torch" else "torch float32", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
