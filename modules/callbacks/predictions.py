"""Predictions as files: the input's columns with what was predicted."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...errors import InputError


class PredictionWriter(BasePredictionWriter):
    """Writes `predictions.jsonl` or `predictions.csv`: one row for each input row, in its order.

    A row has the input's columns, then what the task's `predict_step` returned for it, such as `prediction` and
    `probabilities`, then what the datamodule's `judged` says of that, such as `correct`. In csv, a dictionary becomes
    one column for each key (`probabilities.positive`), and a list is written in JSON.

    Where an input row gives several rows of a batch (windows), the module's `merge_predictions` makes one of them; what
    its `official_predictions` returns, if it has that, is written to `predictions.json`.

    Args:
        folder: where to.
        format: `jsonl` or `csv`.
    """

    def __init__(self, folder: str | Path, format: Literal["jsonl", "csv"] = "jsonl") -> None:
        super().__init__(write_interval="batch")
        self.path = Path(folder) / f"predictions.{format}"
        self._parts: list[tuple[int, dict[str, Any]]] = []

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
        self._parts += zip(batch["index"].tolist(), prediction, strict=True)

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        gathered = self._gather(trainer)
        if not trainer.is_global_zero:
            return
        parts: dict[int, dict[str, Any]] = getattr(pl_module, "merge_predictions", dict)(gathered)
        data: Any = getattr(trainer, "datamodule", None)
        inputs: list[dict[str, Any]] = getattr(data, "predict_rows", [])
        rows = []
        for index in sorted(parts):
            given = inputs[index] if inputs else {}
            if clash := given.keys() & parts[index].keys():
                raise InputError(
                    f"The input has columns of the names that predictions take: {', '.join(sorted(clash))}."
                )
            judged = data.judged(given, parts[index]) if hasattr(data, "judged") else {}
            rows.append({**given, **parts[index], **judged})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write(rows)
        official = getattr(pl_module, "official_predictions", lambda rows: None)(rows)
        if official is not None:
            self.path.with_name("predictions.json").write_text(json.dumps(official, ensure_ascii=False, indent=1))
        rank_zero_info(f"{len(rows):,} predictions: {self.path}")

    def _gather(self, trainer: Trainer) -> list[tuple[int, dict[str, Any]]]:
        if trainer.world_size == 1:
            return self._parts
        import torch.distributed

        parts: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(parts, self._parts)
        return [entry for part in parts for entry in part]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            if self.path.suffix == ".jsonl":
                for row in rows:
                    file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
                return
            flat = [_flat(row) for row in rows]
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in flat for name in row)))
            writer.writeheader()
            writer.writerows(flat)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            out |= {f"{name}.{key}": _cell(entry) for key, entry in value.items()}
        else:
            out[name] = _cell(value)
    return out


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
