"""The rows of a test, each with what is right and what was predicted: what a report tells of one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor
from typing_extensions import override

from ...contracts import DataFacts, ModuleFacts, data_facts, is_defined, module_facts
from ...modules.callbacks.summary import add_to_summary
from ..run_files import TESTED
from .prediction_files import GrowingFile, Likeliest, to_json

INNER = ("span", "repaired", "divided", "widened", "labels", "begins")
"""Of an example, what the datamodule keeps for itself."""


class TestedRows(Callback):
    """Writes `test_predictions.jsonl`: of each row its place in the data, its texts, what is right and what was said.

    What was computed for the scores is written, nothing is computed twice, and rows are written as they come: their
    order is that of the batches, `row` their number. An example in several windows is written once all have come.

    Args:
        folder: the run folder.
        most: rows with a higher number are left out, which is told; a page about more is of no use.
    """

    __test__ = False  # it is no test of pytest's

    def __init__(self, folder: str | Path, most: int = 100_000) -> None:
        self.path, self.most = Path(folder) / TESTED, most
        self._file: GrowingFile | None = None

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module, data = module_facts(pl_module), data_facts(trainer.datamodule)  # type: ignore[attr-defined]
        able = is_defined(module, ModuleFacts.answered) and is_defined(data, DataFacts.examples)
        self._file = None
        if not able or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.world_size > 1:
            rank_zero_info(f"Rows of the test are not kept ({self.path.name}): that takes a single process.")
            return
        self._windows: Sequence[int] = data.windows("test")
        self._merges = is_defined(module, ModuleFacts.merge_predictions)
        self._pending: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        self._likeliest, self._count, self._left_out = Likeliest(), 0, 0
        self._file = GrowingFile(self.path)
        self._file.open(0)

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._file is None or dataloader_idx or not outputs or "example" not in batch:
            return
        module, data = module_facts(pl_module), data_facts(trainer.datamodule)  # type: ignore[attr-defined]
        lengths = _lengths(batch)
        for index, length, row in zip(
            batch["example"].tolist(), lengths, module.answered(batch, outputs), strict=False
        ):
            if index >= self.most:
                self._left_out += 1
            elif not self._merges:
                self._write(data, index, {**self._likeliest(row), "tokens": length})
            else:
                parts = self._pending.setdefault(index, [])
                parts.append((index, row))
                if len(self._windows) and len(parts) == self._windows[index]:
                    self._write_merged(module, data, self._pending.pop(index))

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        file, module = self._file, module_facts(pl_module)
        if file is None:
            return
        data = data_facts(trainer.datamodule)  # type: ignore[attr-defined]
        for parts in self._pending.values():
            self._write_merged(module, data, parts)
        self._file = None
        if not self._count:
            file.close()
            file.part.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)  # of an earlier test, of other weights perhaps
            return
        file.finish()
        add_to_summary(trainer, "test_rows", {"kept": self._count, "left_out": self._left_out})
        if self._left_out:
            rank_zero_info(f"Of the test's rows the first {self.most:,} are kept for the report ({self.path.name}).")

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            file.part.unlink(missing_ok=True)

    def _write_merged(self, module: ModuleFacts, data: DataFacts, parts: list[tuple[int, dict[str, Any]]]) -> None:
        for index, row in module.merge_predictions(parts, "test").items():
            self._write(data, index, row)

    def _write(self, data: DataFacts, index: int, row: dict[str, Any]) -> None:
        example = {name: value for name, value in data.examples("test")[index].items() if name not in INNER}
        texts = example.pop("texts", None)
        if isinstance(texts, list):
            example = {**dict(zip(("text", "text_pair"), texts, strict=False)), **example}
        assert self._file is not None
        self._file.write(to_json({"row": index, **example, **row}) + "\n")
        self._count += 1


def _lengths(batch: dict[str, Any]) -> list[int]:
    """Tokens of each row, padding not counted; of several inputs of a row the longest."""
    mask: Tensor = batch["attention_mask"].sum(-1)
    found: list[int] = (mask.amax(-1) if mask.ndim > 1 else mask).tolist()
    return found
