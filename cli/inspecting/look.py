"""Looking at a split as a trainer would read it: everything is prepared and checked as for training, but no weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import _TunerExitException
from torch import Tensor
from typing_extensions import override

from ...contracts import DataFacts, ModuleFacts, data_facts, loader_facts, module_facts, pack_place
from ...errors import InputError
from ...modules.batches.sizes import batch_sizes
from ...text.pieces import Pieces
from .inspection import BatchFacts, DecodedRow, Inspection, decoded

Split = Literal["train", "validation", "test", "predict"]
STAGES: dict[str, str] = {"train": "train", "validation": "val", "test": "test", "predict": "predict"}
MOST_BATCHES = 64
"""That are read for the rows: an epoch of empty ones has an end."""


def look(model: Any = None, data: Any = None, split: Split = "train", rows: int = 8) -> Inspection:
    """Look at what a module would learn from. No weights are made.

    Args:
        model: an objective or a task, or any LightningModule; None shows batches as they are read.
        data: a datamodule; None where the module has loaders of its own.
        split: `train`, `validation`, `test` or `predict`.
        rows: how many to show; of packs documents.

    Returns:
        What was seen: rich prints it, notebooks show it, `save` writes a page.

    Raises:
        InputError: if the split is not there, or the module cannot learn from such data.
    """
    if split not in STAGES:
        raise InputError(f"split is {split!r}; there are: {', '.join(STAGES)}.")
    if rows < 1:
        raise InputError(f"rows is {rows}; it must be at least 1.")
    if model is None:
        data.prepare_data()
        data.setup(split if split in ("test", "predict") else "fit")
        return _seen(None, data, split, rows)
    looking = _Look(split, rows)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        max_epochs=1,
        callbacks=[looking],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    run: Any = {"test": trainer.test, "predict": trainer.predict}.get(split, trainer.fit)
    run(model, datamodule=data)
    assert looking.seen is not None
    return looking.seen


class _Look(Callback):
    """Looks when the data are set up, and ends the run before a network is made."""

    def __init__(self, split: Split, rows: int) -> None:
        self.split, self.rows = split, rows
        self.seen: Inspection | None = None

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        pl_module.setup(stage)  # which would come next, and may refuse the data
        module_facts(pl_module).sketch()
        if math.isinf(getattr(pl_module, "total_steps", 0.0)):
            pl_module.total_steps = 1.0  # type: ignore[assignment]  # the training is at its beginning, however long
        data = trainer.datamodule if trainer.datamodule is not None else pl_module  # type: ignore[attr-defined]
        self.seen = _seen(pl_module, data, self.split, self.rows)
        raise _TunerExitException  # Lightning's own way to end a run early


def _seen(module: Any, data: Any, split: Split, rows: int) -> Inspection:
    facts, of_data = module_facts(module), data_facts(data)
    tokenizer = facts.tokenizer if facts.tokenizer is not None else of_data.tokenizer
    if module is None:
        facts = ModuleFacts()
        facts.tokenizer = tokenizer
    loader = _loader(data, split)
    some, first = _rows(loader, facts, of_data, split, rows, Pieces(tokenizer))
    surveys = {name: survey for name in STAGES if (survey := of_data.survey(name)) is not None}
    try:
        batches = len(loader)
    except TypeError:  # a stream
        batches = None
    remarks = [] if some else ["These batches hold no `input_ids`, so that no tokens can be shown."]
    name = type(module).__name__ if module is not None else ""
    return Inspection(name, type(data).__name__, split, some, _batch_facts(first), surveys, batches, remarks)


def _rows(
    loader: Any, module: ModuleFacts, data: DataFacts, split: Split, rows: int, pieces: Pieces
) -> tuple[list[DecodedRow], Any]:
    """The first rows, and the first batch."""
    seen: list[DecodedRow] = []
    first: Any = None
    for indices, batch in islice(_batches(loader), MOST_BATCHES):
        first = batch if first is None else first
        shown = module.shown(_beginning(batch, rows - len(seen)), STAGES[split])
        about = data.about(split, indices) if indices is not None else []
        about = about if len(about) >= len(shown) else [{}] * len(shown)
        for number, (row, known) in enumerate(zip(shown, about, strict=False)):
            packed = pack_place(number, len(batch["cu_seq_lens"]) - 1) if "packed" in row.facts else {}
            seen.append(decoded(row, {**known, **row.facts, **packed}, pieces))
        if not shown or len(seen) >= rows:
            break
    if first is None:
        raise InputError(f"The {split} part gives no batch.")
    return seen[:rows], first


def _loader(data: Any, split: Split) -> Any:
    """The loader of a split, the first where there are several."""
    loader = getattr(data, f"{'val' if split == 'validation' else split}_dataloader")()
    if isinstance(loader, list | tuple):
        loader = loader[0] if loader else None
    if loader is None:
        raise InputError(
            f"There is no {split} part: set data.{split}_files"
            + (", or data.validation_fraction above 0." if split == "validation" else ".")
        )
    return getattr(loader, "loader", loader)  # ours may be wrapped


def _batches(loader: Any) -> Iterator[tuple[Sequence[int] | None, Any]]:
    """Batches in the order in which they come, with what they are made of where the loader's plan says so."""
    plan = loader_facts(loader).plan
    if plan is None:
        yield from ((None, batch) for batch in loader)
    else:
        yield from ((indices, loader.dataset[indices]) for indices in plan)


def _beginning(batch: Any, rows: int) -> Any:
    """The first rows of a batch, or documents of a pack; draws are by row, so that they are those of the whole."""
    if not isinstance(batch, Mapping):
        return batch
    tensors = {key: value for key, value in batch.items() if isinstance(value, Tensor) and value.ndim}
    if "cu_seq_lens" not in batch:
        return {**batch, **{key: value[:rows] for key, value in tensors.items()}}
    bounds = batch["cu_seq_lens"][: rows + 1]
    whole = {key: value[:, : int(bounds[-1])] for key, value in tensors.items() if value.ndim == 2}
    return {**batch, **whole, "cu_seq_lens": bounds}


def _batch_facts(batch: Any) -> BatchFacts:
    tensors = [(str(k), v) for k, v in batch.items() if isinstance(v, Tensor)] if isinstance(batch, Mapping) else []
    size = sum(value.nbytes for _, value in tensors)
    sizes = batch_sizes(batch)
    shapes = [(key, " x ".join(map(str, v.shape)) or "one", str(v.dtype).removeprefix("torch.")) for key, v in tensors]
    return BatchFacts(shapes, size, None if sizes is None else int(sizes.tokens), 0 if sizes is None else sizes.places)
