"""A model is loaded as `predict` loads it, and then asked row by row."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from typing_extensions import override

from ...contracts import data_facts, module_facts
from ..callbacks.step_seed import step_seed
from ..pretune_cli import PretuneCLI
from ..recipes import with_recipe
from .page.view import Fields, Prediction
from .tasks.task import Task
from .tasks.tasks import task_of

WRITING = ("writing", "chat")
"""Views of texts that are written word by word."""
FIXED = (
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_checkpointing=false",
    "--trainer.devices=1",
    "--trainer.num_nodes=1",
    "--trainer.strategy=auto",
)


class DemoCLI(PretuneCLI):
    """Loads the weights that `predict` would load, by predicting one row; writes nothing."""

    task: Task

    @override
    def before_instantiate_classes(self) -> None:
        super().before_instantiate_classes()
        self.save_config_callback = None

    @override
    def after_instantiate_classes(self) -> None:
        super().after_instantiate_classes()
        self.task = task_of(self.model, self.datamodule)
        if (row := first_row(self.task)) is not None:
            self.task.read_columns(row)
        data_facts(self.datamodule).take_rows([self.task.row(self.task.sample())])

    @override
    def _callbacks(self) -> list[Any]:
        return []

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        if self.task.view not in WRITING:
            super()._run_subcommand(subcommand)
            return
        written, self.model.generation = self.model.generation, {**self.model.generation, "max_new_tokens": 1}
        super()._run_subcommand(subcommand)  # the first token says as much as all
        self.model.generation = written


class Model:
    """A loaded model; what it answers is what `predict` writes of the same row.

    Args:
        args: options of `predict`.
        name: stands above its answers.
    """

    def __init__(self, args: Sequence[str], name: str) -> None:
        cli = DemoCLI(with_recipe(["predict", *args, *FIXED]))
        self.task, self.name = cli.task, name
        self.module, self.data, self._trainer = cli.model, cli.datamodule, cli.trainer
        self._seed = torch.initial_seed()
        self._turn = threading.Lock()
        self.module.to(self._trainer.strategy.root_device)  # the trainer has put it away
        self.module.eval()

    def answer(self, fields: Fields) -> Iterator[Prediction]:
        """Yield what is predicted; of a text that is written, what is there so far, and at last all."""
        if not self._streams():
            yield self.predict(fields)
            return
        from transformers import TextIteratorStreamer

        streamer = TextIteratorStreamer(self.module.tokenizer, skip_prompt=True, skip_special_tokens=True)
        done: list[Prediction | BaseException] = []

        def work() -> None:
            try:
                done.append(self.predict(fields, streamer))
            except BaseException as error:  # told by the thread that reads
                done.append(error)
            finally:
                streamer.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        text = ""
        for piece in streamer:
            text += piece
            if piece:
                yield {"prediction": text}
        thread.join()
        if isinstance(done[0], BaseException):
            raise done[0]
        yield done[0]

    def _streams(self) -> bool:
        if self.task.view not in WRITING:
            return False
        beams = self.module.generation.get("num_beams") or self.module.model.generation_config.num_beams
        return (beams or 1) == 1  # else nothing is certain before the end

    def predict(self, fields: Fields, streamer: Any = None) -> Prediction:
        """Return what `predict` would write of a row.

        Args:
            fields: of the page.
            streamer: gets the tokens of a text while it is written.
        """
        strategy: Any = self._trainer.strategy
        with self._turn, torch.inference_mode(), strategy.precision_plugin.predict_step_context():
            self.module.streamer = streamer
            data = data_facts(self.data)
            data.take_rows([self.task.row(fields)])
            parts: list[tuple[int, Prediction]] = []
            loader: Any = self.data.predict_dataloader()
            for number, (step, batch) in enumerate(zip(data.predict_plan.steps(), loader, strict=True)):
                torch.manual_seed(step_seed(self._seed, step.name, 0))
                batch = strategy.batch_to_device(batch)
                rows = self.module.predict_step(batch, number)
                parts += zip(batch["index"].tolist(), rows, strict=True)
            prediction = module_facts(self.module).merge_predictions(parts)[0]
            return self.task.finished(prediction)


def first_row(task: Task) -> dict[str, Any] | None:
    """Return a row of the task's own data, if they are at hand."""
    for split in ("test", "validation", "train"):
        try:
            if task.data.source.has(split) and (row := next(iter(task.example_rows(split)), None)) is not None:
                return row
        except (ValueError, OSError):  # what a run was trained on may be gone since
            continue
    return None
