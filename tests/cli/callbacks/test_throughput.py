"""How fast training is: counted by hand, without waiting for the device, and where a step's time goes."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from pretune.cli.callbacks import StepTimes, Throughput
from pretune.cli.callbacks.throughput import device_peak
from pretune.cli.costs.flops import forward_cost
from pretune.datamodules import CorpusDataModule
from pretune.modules import MaskedLanguageModeling
from pretune.modules.batches.sizes import batch_sizes


def test_sizes_of_batches() -> None:
    ids, mask = torch.zeros(2, 8, dtype=torch.long), torch.tensor([[1] * 5 + [0] * 3, [1] * 8])
    padded = batch_sizes({"input_ids": ids, "attention_mask": mask})
    assert padded is not None
    assert [int(value) for value in padded] == [2, 13, 16, 25 + 64]
    packed = batch_sizes({"input_ids": ids[:1], "cu_seq_lens": torch.tensor([0, 3, 8])})
    assert packed is not None
    assert [int(value) for value in packed] == [2, 8, 8, 9 + 25]
    choices = batch_sizes({"input_ids": ids[None], "attention_mask": mask[None]})
    assert choices is not None
    assert [int(value) for value in choices] == [2, 13, 16, 89]
    pairs = {"segment_a": torch.tensor([[4, 5, -1]]), "segment_b": torch.tensor([[6, -1, -1]])}
    assert [int(value) for value in batch_sizes(pairs)] == [1, 3, 6, 9]  # type: ignore[union-attr]
    assert batch_sizes([ids]) is None
    assert batch_sizes({"pixels": ids}) is None


class Slow(Callback):
    """Takes a known time in backward."""

    def on_before_backward(self, *_: Any) -> None:
        self.begun = time.perf_counter()

    def on_after_backward(self, *_: Any) -> None:
        time.sleep(0.02)


class Waits:
    """Counts reads of tensors, which wait for the device, while a step is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[str] = []
        self.watching = False
        for name in ("item", "tolist", "__float__", "__int__", "__bool__", "numpy"):
            plain = getattr(torch.Tensor, name)

            def read(tensor: Any, *args: Any, plain: Any = plain, name: str = name) -> Any:
                stack = traceback.extract_stack()
                # Some networks of transformers ask whether a mask hides anything.
                if self.watching and not any("transformers" in frame.filename for frame in stack):
                    self.found.append(f"{name}: {stack[-2].filename}:{stack[-2].lineno}")
                return plain(tensor, *args)

            monkeypatch.setattr(torch.Tensor, name, read)


class Watch(Callback):
    """Watches all but the batches after which something is logged."""

    def __init__(self, waits: Waits) -> None:
        self.waits = waits

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.waits.watching = (batch_idx + 1) % trainer.log_every_n_steps != 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.waits.watching = False


def fit(corpus: Path, tokenizer: Any, tiny: dict[str, Any], *callbacks: Callback, **options: Any) -> tuple[Any, Any]:
    data = CorpusDataModule(train_files=str(corpus), validation_fraction=0.0, block_size=16, batch_size=4)
    data.use_tokenizer(tokenizer)
    module = MaskedLanguageModeling({"config": tiny})
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        callbacks=list(callbacks),
        **{"max_steps": 4, "log_every_n_steps": 4, **quiet, **options},
    )
    trainer.fit(module, data)
    return trainer, module


def test_what_is_logged(corpus: Path, tokenizer: Any, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.0, 12.0, 12.0] + [20.0] * 9)  # made, started, measured, begun again
    own = SimpleNamespace(perf_counter=lambda: next(clock))  # others ask the time as well
    monkeypatch.setattr("pretune.cli.callbacks.throughput.time", own)
    kept: dict[str, Any] = {}

    class Kept(Throughput):
        def measure(self, *args: Any) -> dict[str, float]:
            kept.update(tokens=int(self._tokens), pairs=int(self._pairs), targets=int(self._targets[""]))
            return super().measure(*args)

    trainer, module = fit(corpus, tokenizer, tiny, Kept())
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert 0 < kept["targets"] < kept["tokens"] == 4 * 4 * 16
    assert found["train/tokens_per_second"] == pytest.approx(256 / 2)
    assert found["train/samples_per_second"] == pytest.approx(16 / 2)
    assert found["train/padding_fraction"] == 0
    assert found["train/peak_memory"] > 0.05
    cost = forward_cost(module.model)
    flops = 3 * cost.of(kept["tokens"], kept["pairs"], heads=kept["targets"])
    assert found["train/teraflops"] == pytest.approx(flops / 2 / 1e12)
    assert "train/mfu" not in found  # nobody knows the peak of a CPU
    assert found["train/learning_rate"] == 0  # decayed to its end


@pytest.mark.parametrize(("accumulation", "every", "samples"), [(1, 2, [8, 8, 8]), (4, 3, [48, 48]), (4, 0, [])])
def test_what_is_logged_is_of_all_batches_since_the_last_time(
    corpus: Path, tokenizer: Any, tiny: dict[str, Any], accumulation: int, every: int, samples: list[int]
) -> None:
    counted: list[int] = []
    timed: list[int] = []

    class Counted(Throughput):
        def measure(self, *args: Any) -> dict[str, float]:
            counted.append(self._samples)
            return super().measure(*args)

    class Timed(StepTimes):
        def measure(self) -> dict[str, float]:
            timed.append(len(self._batches))
            return super().measure()

    options = {"log_every_n_steps": every, "accumulate_grad_batches": accumulation, "max_steps": 6}
    fit(corpus, tokenizer, tiny, Counted(), Timed(), **options)
    assert counted == samples  # 4 a batch
    assert timed == [each // 4 for each in samples]


def test_the_share_of_a_known_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    assert device_peak(torch.device("cuda"), "bf16-mixed") == 989e12
    assert device_peak(torch.device("cpu"), "bf16-mixed") is None


def test_where_the_time_goes(corpus: Path, tokenizer: Any, tiny: dict[str, Any]) -> None:
    trainer, _ = fit(corpus, tokenizer, tiny, StepTimes(), Slow())
    found = {name: float(value) for name, value in trainer.callback_metrics.items() if "/ms_" in name}
    assert set(found) == {f"train/ms_{part}" for part in ("data", "forward", "backward", "optimizer")}
    assert all(value >= 0 for value in found.values())
    assert found["train/ms_optimizer"] > 19  # where other callbacks' time is counted


def test_no_step_waits(corpus: Path, tokenizer: Any, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits(monkeypatch)
    fit(corpus, tokenizer, tiny, Watch(waits), StepTimes(), Throughput(), max_steps=3, log_every_n_steps=10)
    assert waits.found == []


def test_a_step_that_waits_is_found(
    corpus: Path, tokenizer: Any, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reads(Callback):
        def on_before_backward(self, trainer: Any, module: Any, loss: torch.Tensor) -> None:
            loss.item()

    waits = Waits(monkeypatch)
    fit(corpus, tokenizer, tiny, Watch(waits), Reads(), max_steps=2, log_every_n_steps=10)
    assert len(waits.found) == 2
