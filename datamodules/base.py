"""The base of every datamodule: source, tokenizer, loaders, and the position in the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import DataFacts, ModuleFacts, module_facts, with_hints
from ..errors import InputError, check_range, refuse_nulls
from ..storage.cache import cached, default_cache, digest
from ..storage.paths import local_folder
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.processes import cores
from ..text.tokenizer import load_tokenizer, unpack_tokenizer
from ..text.train_tokenizer import TrainTokenizer
from .batching.agreement import require_agreement
from .batching.batch_plan import BatchPlan
from .batching.loader import BatchedDataset, Opaque, ResumableLoader
from .batching.predict_plan import PredictPlan
from .batching.predict_rows import Inputs
from .batching.share import Share, share_of_process
from .batching.small_data import tell_of_small_data
from .sources import Source

MOST_WORKERS = 4
"""That are chosen for a GPU: tokens lie ready in the cache, and more than a few only wait."""


class BaseDataModule(LightningDataModule, DataFacts):
    """Reads once into a cache, then hands out batches.

    A subclass fills `self.datasets` (one `BatchedDataset` per split) in `setup`, and does everything slow in
    `prepare_data`, which only one process of a machine runs.

    Args:
        tokenizer: a name, a folder, an earlier run; options for training one; or null for the backbone's own.
        batch_size: examples per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one (for a GPU in a thread
            ahead of it), null chooses: none where the CPU computes and for corpora, up to 4 for each GPU, as cores
            allow.
        cache_dir: folder for tokenized data and trained tokenizers; null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split, the draw of few labels and the order of training.
    """

    length_option = "max_length"
    batches_at_once = False
    """Whether a batch is cut out of mapped memory, which is faster than a worker process could hand it over."""
    tokens_per_batch: int | None = None

    def __init__(
        self,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None = None,
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_range("data.batch_size", batch_size, least=1)
        if isinstance(tokenizer, dict):
            tokenizer = (ExtendTokenizer if "extend" in tokenizer else TrainTokenizer)(**tokenizer)
        if isinstance(tokenizer, TrainTokenizer | ExtendTokenizer):
            refuse_nulls(tokenizer, "data.tokenizer")
        self.tokenizer_spec = tokenizer
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.cache_dir = local_folder(cache_dir or default_cache(), "data.cache_dir (or $PRETUNE_CACHE)")
        self.seed = seed
        self.tokenizer: Any = None
        self._tokenizer_key = ""
        self.datasets: dict[str, Any] = {}
        self._train_loader: ResumableLoader | None = None
        self._resume: dict[str, int] | None = None
        self.predict_rows: Sequence[dict[str, Any]] = []
        """The rows to predict, with all their columns; known after `setup('predict')`."""
        self.predict_key = ""
        """Names what is to be predicted, by content; known after `setup('predict')`."""
        self.predict_from = 0
        """The first row to predict: those before it are done."""
        self.predict_plan: PredictPlan | None = None
        """The batches of the prediction; known once its loader is made."""
        self._inputs: Inputs | None = None
        self.contents: dict[str, str] = {}
        """A hash of what each split was made of, by which processes find out whether they have the same."""
        self._share: Share | None = None

    source: Source

    # ------------------------------------------------------------------ tokenizer

    def training_texts(self) -> Iterator[str]:
        """What a new tokenizer is trained on."""
        raise TypeError(f"{type(self).__name__} must define `training_texts`.")

    def training_key(self) -> Any:
        """What a cache key must hold of those texts."""
        return self.source.key("train")

    def load_tokenizer(self) -> None:
        """Sets `self.tokenizer`: named, trained here (once), or the backbone's own.

        Raises:
            InputError: if there is none, or if the module cannot learn from such data.
        """
        if self.tokenizer is not None:
            return
        self._find_tokenizer()
        self.use_tokenizer(self.tokenizer)
        module_facts(self.module).check_data(self)

    def find_sources(self) -> None:
        """Looks whether all that will be read is there: a mistyped name is to be said before the others are read."""
        for split in self.prepared_splits():
            if self.source.has(split):
                self.source.name(split)

    def _find_tokenizer(self) -> None:
        spec = self.tokenizer_spec
        if isinstance(spec, str):
            self.tokenizer = load_tokenizer(spec)
        elif spec is not None and self._restored():
            self.tokenizer = self._backbone_tokenizer()  # trained with the model that is now evaluated or goes on
        elif spec is not None and not self.source.has("train") and self.module is not None:
            self.tokenizer = self._backbone_tokenizer()
        elif spec is not None:
            key = [self.training_key(), spec.key()]

            def make(folder: Path) -> None:
                rank_zero_info(f"{spec.doing} on {self.source.name('train')} ...")
                spec.make(self.training_texts(), folder)

            if not self.source.has("train"):
                raise InputError("data.tokenizer asks for training a tokenizer, but there are no data.train_files.")
            folder = cached(self.cache_dir, "tokenizers", key, make)
            self.tokenizer = load_tokenizer(str(folder))
            rank_zero_info(f"Tokenizer: {len(self.tokenizer):,} entries.")
        else:
            self.tokenizer = self._backbone_tokenizer()

    def use_tokenizer(self, tokenizer: Any) -> None:
        """Takes a tokenizer that was loaded elsewhere, whatever `tokenizer` asked for; before `prepare_data`."""
        self.tokenizer = tokenizer
        # By content, and now: a call of the tokenizer leaves its truncation behind in it.
        backend = getattr(tokenizer, "backend_tokenizer", None)
        content = backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items())
        self._tokenizer_key = digest(content)

    def _restored(self) -> bool:
        """Whether the module comes from a checkpoint with its tokenizer."""
        return bool((module_facts(self.module).stored or {}).get("tokenizer"))

    def _backbone_tokenizer(self) -> Any:
        module = module_facts(self.module)
        if module.stored and module.stored.get("tokenizer"):
            return unpack_tokenizer(module.stored["tokenizer"])
        if module.backbone is None:
            raise InputError(
                f"{type(self).__name__} needs a tokenizer: name one (tokenizer='bert-base-uncased'), or use it with a "
                "module whose backbone has one."
            )
        return module.backbone.load_tokenizer()

    @property
    def module(self) -> Any:
        """The module in training, if there is one: it knows the backbone."""
        return getattr(self.trainer, "lightning_module", None) if self.trainer is not None else None

    def serve(self, module: ModuleFacts) -> None:
        """Takes over length and tokenizer from a module that no trainer runs; one process reads all."""
        length = getattr(self, self.length_option)
        setattr(self, self.length_option, min(length, module.input_limit() or length))
        self.use_tokenizer(module.tokenizer)
        self.take_share(0, 1)  # one process may ask alone

    def tokenizer_key(self) -> str:
        """Names the tokenizer in cache keys."""
        return self._tokenizer_key

    def wanted_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """The splits that the trainer's verb needs; all where there is no trainer."""
        verb = getattr(self.trainer.state.fn, "value", "fit") if self.trainer is not None else "fit"
        needed: dict[str, tuple[Literal["train", "validation", "test"], ...]] = {"predict": (), "test": ("test",)}
        return needed.get(verb, ("train", "validation", "test"))

    def prepared_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """Those of them that `prepare_data` reads."""
        return self.wanted_splits()

    # ------------------------------------------------------------------ loaders

    def require_agreement(self) -> None:
        """Stops the run if its processes hold different tokenizers or data; each asks for a loader at the same time.

        Raises:
            InputError: naming the processes.
        """
        if self.trainer is None:  # a callback's own data, which one process may read alone
            return
        sizes = {f"number of {split} examples": str(len(data)) for split, data in self.datasets.items()}
        held = {f"{split} data": content for split, content in self.contents.items()}
        require_agreement({"tokenizer": self._tokenizer_key, **held, **sizes})

    def take_share(self, rank: int, of: int) -> None:
        """Says which part of the data is this process's, in place of the trainer or torch.distributed.

        Args:
            rank: of this process, from 0.
            of: how many share the data out; 1 takes everything.
        """
        self._share = Share(rank, of)

    def share(self) -> Share:
        """As told by `take_share`, the trainer, or torch.distributed."""
        if self._share is not None:
            return self._share
        return Share(self.trainer.global_rank, self.trainer.world_size) if self.trainer else share_of_process()

    def loader(self, split: str, shuffle: bool = False) -> ResumableLoader:
        """The loader of a split; the only place that shuffles."""
        share = self.share()
        dataset: BatchedDataset = self.datasets[split]
        lengths: np.ndarray | None = getattr(dataset, "lengths", None)
        plan = BatchPlan(
            len(dataset),
            self.batch_size,
            shuffle=shuffle,
            seed=self.seed,
            lengths=lengths,
            tokens=self.tokens_per_batch,
            draw=getattr(dataset, "order", None),
            rank=share.rank,
            world_size=share.of,
        )
        loader = ResumableLoader(dataset, plan, self.workers(), self._gpu(), self.hints)
        if self._share is None and not self.trainer:  # found out, and not told: processes may be started later
            loader.share = share
            if share.of > 1:
                rank_zero_info(f"{split}: the examples are shared out among {share.of} processes.")
        return loader

    def _gpu(self) -> torch.device | None:
        """The GPU that batches go to ahead of time; none where somebody's own hooks want them before, or send them."""
        device = self.trainer.strategy.root_device if self.trainer is not None else None
        if device is None or device.type != "cuda":
            return None
        own = is_overridden("on_before_batch_transfer", self, BaseDataModule) or any(
            is_overridden("transfer_batch_to_device", each) for each in (self, self.module)
        )
        return None if own else device

    def workers(self) -> int:
        """The number of processes that make batches for this one."""
        if self.num_workers is not None:
            return self.num_workers
        if self.trainer is None or self.trainer.strategy.root_device.type == "cpu" or self.batches_at_once:
            return 0
        return max(0, min(MOST_WORKERS, cores() // self.trainer.num_devices - 1))

    def train_dataloader(self) -> ResumableLoader | Opaque:
        """Shuffled by (seed, epoch); starts where a restored checkpoint stopped.

        Raises:
            InputError: if there is not even one example.
        """
        self.require_agreement()
        if not len(self.datasets["train"]):
            raise InputError(f"{self.source.name('train')} gives no training example.")
        if self._overfits():
            return Opaque(self.loader("train"))  # the same batches each epoch
        before, self._train_loader = self._train_loader, self.loader("train", shuffle=True)
        if before is None:
            self._tell_of_small_data(self._train_loader)
        if before is not None and before.begun and not before.plan.is_told:
            self._train_loader.plan.epoch = before.plan.epoch + 1  # a loop of one's own that asks for each epoch's
        if self._resume is not None:
            self._train_loader.load_state_dict(self._resume)
            self._resume = None
        return self._train_loader

    def _tell_of_small_data(self, loader: ResumableLoader) -> None:
        accumulated = self.trainer.accumulate_grad_batches if self.trainer is not None else 1
        size = None if loader.plan.own.tokens else self.batch_size
        tell_of_small_data(loader.plan.size, size, len(loader), self.share(), accumulated)

    def val_dataloader(self) -> Any:
        """In order; an empty list when there is no validation data."""
        self.require_agreement()
        if "validation" not in self.datasets:
            return []
        return Opaque(self.loader("validation")) if self._overfits() else self.loader("validation")

    def _overfits(self) -> bool:
        """Whether `trainer.overfit_batches` is on, for which Lightning would rebuild every `DataLoader`."""
        return self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]

    def test_dataloader(self) -> ResumableLoader:
        """In order."""
        self.require_agreement()
        return self.loader("test")

    def predict_dataloader(self) -> ResumableLoader | Opaque:
        """In order, stretch by stretch, from the input `predict_from` on."""
        self.require_agreement()
        dataset: Any = self.datasets["predict"]
        share = self.share()
        self.predict_plan = PredictPlan(
            getattr(dataset, "columns", {}).get("index", np.arange(len(dataset))),
            self.batch_size,
            getattr(dataset, "lengths", None),
            self.tokens_per_batch,
            share.rank,
            share.of,
            self.predict_from,
        )
        loader = ResumableLoader(dataset, self.predict_plan, self.workers(), self._gpu(), self.hints)
        return Opaque(loader) if self.trainer is not None else loader

    def read_inputs(self, key: Any, write: Callable[[Path], None]) -> Inputs:
        """What is to be predicted, written into the cache unless it is there."""
        self._inputs = Inputs(self.cache_dir, key, write)
        self.predict_rows, self.predict_key = self._inputs.inputs, digest(key)
        return self._inputs

    def predicts(self) -> bool:
        """Whether the trainer's verb is `predict`."""
        return self.trainer is not None and self.trainer.state.fn == "predict"

    def teardown(self, stage: str) -> None:
        """Removes what was written to be predicted, once that is done."""
        if stage == "predict" and self._inputs is not None and (self.trainer is None or self.trainer.local_rank == 0):
            self._inputs.remove()

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Takes down what a GPU would have to be waited for later."""
        return self.hints(batch)

    def hints(self, batch: Any) -> Any:
        """A batch with what is known of it, before it goes to the device."""
        return with_hints(batch)

    # ------------------------------------------------------------------ resuming

    def state_dict(self) -> dict[str, Any]:
        """The position in training.

        Kept here as well as in the loader: Lightning may make the loader before it restores a checkpoint (to count the
        steps of the schedule), and then forgets the loader's state.
        """
        return self._train_loader.state_dict() if self._train_loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the position."""
        if state_dict:
            self._resume = dict(state_dict)
            if self._train_loader is not None:
                self._train_loader.load_state_dict(self._resume)
