"""Predictions as files: the input's columns with what was predicted."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...contracts import AnswerOptions, DataFacts, ModuleFacts, data_facts, is_defined, module_facts
from ...errors import InputError, check_range
from ...text.visible import shown_path
from .answers import print_answers
from .judged import Judge
from .prediction_files import GrowingFile, JsonLines, Likeliest, Table, to_json
from .prediction_place import Place, check_free, chosen_place, identity_of, next_place
from .step_seed import step_seed
from .tally import Tally, tell

Format = Literal["jsonl", "csv"]
Parts = list[tuple[int, dict[str, Any]]]


class PredictionWriter(BasePredictionWriter):
    """Writes `predictions.jsonl` or `predictions.csv`: one row for each input row, in its order.

    A row has the input's columns, then what the task's `predict_step` returned for it, such as `prediction` and
    `probabilities`, then what the datamodule's `judged` says of that, if it has that. In csv, a dictionary becomes one
    column for each key (`probabilities.positive`), and a list is written in JSON.

    Where an input row gives several rows of a batch (windows), the module's `merge_predictions` makes one of them; what
    its `official_prediction` returns of each, if it has that, is written to `predictions.json`.

    Rows are written as soon as all before them are done, so that memory stays bounded with the datamodules of this
    project; what another's loader gives is written as it comes. An earlier file is kept: the next one is
    `predictions-2.jsonl`. A file has the ending `.part` until it is whole; where the process was stopped, the same
    prediction goes on with it.

    Args:
        folder: where to.
        format: `jsonl` or `csv`.
        file: a file of this name instead, which must not be there.
        top: labels of a row's `probabilities`, the likeliest; null means all of up to 100, else 20.
        weights: names the weights that predict; null never goes on with an unfinished file.
        answers: print what is predicted, too.

    Raises:
        InputError: if there is such a file.
    """

    save_every = 1.0
    """Seconds of work that are lost at the most."""

    def __init__(
        self,
        folder: str | Path,
        format: Format = "jsonl",
        file: str | Path | None = None,
        top: int | None = None,
        weights: Any = None,
        answers: bool = False,
    ) -> None:
        super().__init__(write_interval="batch")
        check_range("--predictions_top", top, least=1)
        self.folder, self.file, self.format = Path(folder), Path(file) if file is not None else None, format
        if self.file is not None:
            if "://" in str(file):
                raise InputError(f"--predictions_file {file}: predictions are written to a local file; copy it then.")
            self.format = {".csv": "csv", ".jsonl": "jsonl"}.get(self.file.suffix, format)  # type: ignore[assignment]
            check_free(self.file)
        self.top, self.weights, self.answers = top, weights, answers
        self.path: Path | None = None
        """Where the predictions are; known once they are written."""
        self._place: Place | None = None

    # ------------------------------------------------------------------ where to, and from where on

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "predict":
            return
        data = self._data = data_facts(trainer.datamodule)  # type: ignore[attr-defined]
        self._inputs = data.predict_rows
        self._done, self._saved = 0, time.monotonic()
        self._steps: Iterator[Any] | None = None
        self._pending: Parts = []
        self._likeliest, self._seed = Likeliest(self.top), torch.initial_seed()
        self._answers: list[dict[str, Any]] = []
        if trainer.is_global_zero:
            self._begin(trainer, pl_module, data)
        self._done = int(trainer.strategy.broadcast(self._done))
        data.predict_from = self._done

    def _begin(self, trainer: Trainer, pl_module: LightningModule, data: DataFacts) -> None:
        key = data.predict_key
        known = [key, self.weights, dict(pl_module.hparams), trainer.precision, self.format, self.top]
        asked = self._options = module_facts(pl_module).answer_options
        known += [asked] if asked != AnswerOptions() else []
        able = key and self.weights is not None
        self._identity = identity_of(*known) if able else f"{time.time_ns()}"  # else like no other
        ending = f".{self.format}"
        self._place = (
            chosen_place(self.file, self._identity)
            if self.file is not None
            else next_place(self.folder, ending, self._identity)
        )
        state = self._place.state
        self._done, self._count, self._state = state.get("done", 0), state.get("count", 0), state
        self._tally, self._judge = Tally(state.get("tally")), Judge(self._data, self._inputs)
        self._rows = Table(state.get("header")) if self.format == "csv" else JsonLines()
        self._file = GrowingFile(self._place.path)
        self._file.open(state.get("bytes", 0))
        self._official: GrowingFile | None = None
        if is_defined(module_facts(pl_module), ModuleFacts.official_prediction):
            self._official = GrowingFile(self._place.official)
            self._official.open(state.get("official", 0))
        if self._done:
            part, total = shown_path(str(self._file.part)), len(self._inputs)
            rank_zero_info(f"Going on with {part}: {self._done:,} of {total:,} rows are done.")

    # ------------------------------------------------------------------ batches

    @override
    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self._steps is None:
            plan = self._data.predict_plan
            self._steps = plan.steps() if plan is not None else repeat(None)
        self._step = next(self._steps)
        if self._step is not None:  # what is drawn, where texts are sampled, does not depend on where it began
            torch.manual_seed(step_seed(self._seed, self._step.name, trainer.global_rank))

    @override
    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        step = self._step
        if step is None and not (isinstance(batch, dict) and "index" in batch):
            if trainer.world_size > 1:
                raise InputError(
                    "Predictions of several processes are written in order by the `index` of each row of a batch, "
                    "which the batches of this loader do not have: use one process (trainer.devices=1)."
                )
            indices = range(self._done + len(self._pending), self._done + len(self._pending) + len(prediction))
        else:
            indices = batch["index"].tolist()
        real = len(prediction) if step is None else step.real
        self._pending += [(i, self._likeliest(row)) for i, row in zip(indices[:real], prediction[:real], strict=True)]
        if step is not None and step.closes is not None:
            self._write(trainer, pl_module, step.closes)
        elif (
            step is None
            and trainer.world_size == 1
            and not is_defined(module_facts(pl_module), ModuleFacts.merge_predictions)
        ):
            self._write(trainer, pl_module, self._done + len(self._pending))

    def _write(self, trainer: Trainer, pl_module: LightningModule, done: int) -> None:
        """Write what is pending in all processes, after which so many rows are done."""
        gathered, self._pending = self._gather(trainer), []
        if not trainer.is_global_zero:
            self._done = done
            return
        module = module_facts(pl_module)
        merged = module.merge_predictions(gathered)
        for index in sorted(merged):
            self._add(module, index, merged[index])
        self._done = done
        self._data.predicted(done)
        self._state = self._progress()
        if time.monotonic() - self._saved >= self.save_every:
            self._save()

    def _add(self, module: ModuleFacts, index: int, predicted: dict[str, Any]) -> None:
        inputs = self._inputs[index] if len(self._inputs) else {}
        predicted = self._judge.judged(inputs, predicted)
        if self._file.size == 0:
            columns = self._judge.columns
            if clash := set(columns) & predicted.keys():
                raise InputError(f"The input has columns that predictions are called: {', '.join(sorted(clash))}.")
            names = self._judge.names(predicted)
            first = {**predicted, **{name: predicted.get(name) for name in names}}
            if self._options.top_k and "top_k" in first:  # others may have more to choose from
                labels = module.labels
                most = min(self._options.top_k, len(labels) if labels else sys.maxsize)
                first["top_k"] = [{"label": None, "probability": None}] * most
            self._file.write(self._rows.begin(columns, first, self._likeliest.left_out == 0))
        self._file.write(self._rows.row(inputs, predicted))
        self._count += 1
        self._tally.add(predicted)
        if self.answers:
            self._answers.append({**inputs, **predicted})
        if self._official is not None:
            name, value = module.official_prediction(index, predicted)
            self._official.write(f"{',' if self._official.size else '{'}\n {to_json(name)}: {to_json(value)}")

    def _gather(self, trainer: Trainer) -> Parts:
        if trainer.world_size == 1:
            return self._pending
        import torch.distributed

        parts: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(parts, self._pending)
        return [entry for part in parts for entry in part]

    def _progress(self) -> dict[str, Any]:
        """Return how far the files have come, between two stretches."""
        official = self._official.size if self._official is not None else 0
        rows = {"done": self._done, "count": self._count, "header": self._rows.header}
        return {**rows, "bytes": self._file.size, "official": official, "tally": dict(self._tally.counts)}

    def _save(self) -> None:
        """Write that down, when it is true of the disk."""
        if self._place is None:
            return
        for file in (self._file, self._official):
            if file is not None:
                file.flush()
        self._place.save(self._identity, **self._state)
        self._saved = time.monotonic()

    # ------------------------------------------------------------------ the end

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pending = max(self._gather_counts(trainer))
        if pending:  # the loader was cut off, or is another's
            self._write(trainer, pl_module, self._done)
        self._finish(trainer)

    def _gather_counts(self, trainer: Trainer) -> list[int]:
        if trainer.world_size == 1:
            return [len(self._pending)]
        import torch.distributed

        counts: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(counts, len(self._pending))
        return counts

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._place is not None:  # all was done already, and there was no batch
            self._finish(trainer)

    def _finish(self, trainer: Trainer) -> None:
        place, self._place = self._place, None
        if place is None:
            return
        if self._official is not None:
            self._official.write("\n}\n" if self._official.size else "{}\n")
            self._official.finish()
        self._file.finish()
        place.release(finished=True)
        self.path = place.path
        if self._answers:
            print_answers(self._answers)
        if self._likeliest.left_out:
            shown = self.top or Likeliest.some
            rank_zero_info(
                f"Of each row's probabilities the {shown} highest are written, {self._likeliest.left_out:,} are not "
                "(--predictions_top)."
            )
        of = f" of {total:,} rows" if (total := len(self._inputs)) > self._count else ""
        rank_zero_info(f"{self._count:,} predictions{of}: {shown_path(str(self.path))}")
        tell(trainer, place.path, self._tally, self._count)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        place = self._place
        if place is None:
            return
        if self._done:
            with suppress(OSError):  # a full disk, which is said already: what was saved before is there to go on with
                self._save()
                done, part = f"{self._done:,} rows are done", shown_path(str(self._file.part))
                rank_zero_info(f"{done} ({part}); the same command goes on there.")
        self._place = None
        for file in (self._file, self._official):
            if file is not None:
                file.close()
                if not self._done:
                    file.part.unlink(missing_ok=True)
        place.release(finished=not self._done)
