from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.datamodules.stages import Stage
from pretune.errors import InputError

FILES = {"a.txt": range(0, 300), "b.txt": range(300, 420)}


@pytest.fixture(autouse=True)
def _files() -> None:
    for name, numbers in FILES.items():
        Path(name).write_text("\n".join(sentence(i, 9) for i in numbers) + "\n")


def made(tokenizer: Any, stages: list[dict[str, Any]], **options: Any) -> CorpusDataModule:
    sources: Any = [{"files": name} for name in FILES]
    data = CorpusDataModule(
        **{"sources": sources, "stages": [Stage(**s) for s in stages], "block_size": 16, "batch_size": 4, **options},
        validation_fraction=0.0, tokenizer=tokenizer, special_tokens=False,
    )  # fmt: skip
    data.prepare_data()
    data.setup("fit")
    return data


THREE: list[dict[str, Any]] = [
    {"tokens": 16 * 50, "block_size": 8},
    {"tokens": 16 * 33, "batch_size": 2, "weights": [0, 1], "rate": 0.5},
    {"tokens": 16 * 10, "block_size": 4, "batch_size": 8, "weights": [1, 0]},
]


def test_sizes_shares_and_rates_change_where_they_should(tokenizer_folder: Path) -> None:
    data = made(str(tokenizer_folder), THREE)
    loader = data.train_dataloader()
    shapes = [tuple(batch["input_ids"].shape) for batch in loader]
    assert shapes == [(8, 8)] * 12 + [(4, 8)] + [(2, 16)] * 16 + [(1, 16)] + [(8, 4)] * 5
    assert len(loader) == len(shapes)
    rates = [data.rate_at(batch) for batch in range(len(shapes) + 3)]
    assert rates == [1.0] * 13 + [0.5] * 17 + [1.0] * 8
    mixture = data.datasets["train"]
    order = loader.plan.layout().order[:].tolist()  # type: ignore[union-attr]
    first = len(mixture.parts[0])
    assert all(number >= first for number in order[50:83])
    assert all(number < first for number in order[83:])
    assert Counter(number < first for number in order[:50])[True] == pytest.approx(25, abs=9)


def test_no_block_twice_before_each_came_once(tokenizer_folder: Path) -> None:
    """Whatever the stages: sizes of rows and shares change nothing about what was seen."""
    whole = made(str(tokenizer_folder), THREE)
    sizes = [len(part) for part in whole.datasets["train"].parts]
    long = [{**stage, "tokens": stage["tokens"] * 7} for stage in THREE]
    data = made(str(tokenizer_folder), long)
    order = data.train_dataloader().plan.layout().order  # type: ignore[union-attr]
    seen = Counter(order[:].tolist())
    for begin, size in ((0, sizes[0]), (sizes[0], sizes[1])):
        times = [seen[number] for number in range(begin, begin + size)]
        assert max(times) - min(times) <= 1
    drawn = [sum(seen[n] for n in range(b, b + s)) for b, s in ((0, sizes[0]), (sizes[0], sizes[1]))]
    assert order.drawn == drawn


@pytest.mark.parametrize("stop", [3, 13, 20, 33])
@pytest.mark.parametrize("worlds", [(1, 2), (2, 1), (1, 4)])
def test_it_goes_on_on_other_processes(stop: int, worlds: tuple[int, int], tokenizer_folder: Path) -> None:
    """The same rows are left, whatever the stage that was interrupted, each once."""

    def rows(world: int, state: Any, count: int | None) -> tuple[Counter[str], Any]:
        found: Counter[str] = Counter()
        for rank in range(world):
            data = made(str(tokenizer_folder), THREE)
            data.take_share(rank, world)
            loader = data.train_dataloader()
            if state is not None:
                loader.load_state_dict(state)  # type: ignore[union-attr]
                loader.plan.set_epoch(0)  # type: ignore[union-attr]
            for batch in islice(loader, count):
                found.update(str(row) for row in batch["input_ids"].tolist())
        return found, loader.state_dict()  # type: ignore[union-attr]

    expected, _ = rows(1, None, None)
    seen, state = rows(worlds[0], None, stop // worlds[0])
    rest, _ = rows(worlds[1], state, None)
    assert not expected - (seen + rest)
    assert sum((seen + rest - expected).values()) <= 3 * 4 * max(worlds)  # repeated where a process would have none


def test_the_last_rows_of_a_corpus_may_be_empty(tokenizer_folder: Path) -> None:
    data = made(str(tokenizer_folder), [{"tokens": 16 * 400, "block_size": 2}])
    assert all(batch["attention_mask"].any(-1).all() for batch in data.train_dataloader())


def test_a_run_in_stages_is_resumed_bit_for_bit(
    tokenizer_folder: Path, tiny: dict[str, Any], run: Callable[..., Any]
) -> None:
    Path("mine.yaml").write_text(
        f"""
model:
  class_path: MaskedLanguageModeling
  init_args: {{backbone: {{config: {tiny}}}, schedule: constant, warmup: 0, learning_rate: 0.001}}
data:
  class_path: CorpusDataModule
  init_args:
    sources: [{{files: a.txt}}, {{files: b.txt}}]
    tokenizer: {tokenizer_folder}
    block_size: 16
    batch_size: 4
    stages:
    - {{tokens: 800, block_size: 8}}
    - {{tokens: 528, batch_size: 2, weights: [0, 1], rate: 0.5}}
"""
    )
    whole = run("fit", "--config=mine.yaml", "--name=whole")
    assert whole.trainer.global_step == 13 + 17
    assert whole.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0005)
    run("fit", "--config=mine.yaml", "--name=stopped", "--trainer.max_steps=20", "--trainer.max_epochs=1")
    again = run("fit", "--config=mine.yaml", "--name=stopped", "--ckpt_path=last")
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"tokens": 3}, r"data.stages\[0\].tokens is 3"),
        ({"tokens": 99, "block_size": 5}, r"block_size is 5, which must divide data.block_size \(16\)"),
        ({"tokens": 99, "block_size": 4, "batch_size": 6}, r"a multiple of 4 would work"),
        ({"tokens": 99, "weights": [1.0]}, r"it must be 2 numbers, one for each source"),
        ({"tokens": 99, "weights": [0.0, 0.0]}, r"it must be 2 numbers"),
        ({"tokens": 99, "rate": 0}, r"rate is 0"),
    ],
)
def test_dead_ends(stage: dict[str, Any], message: str, tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        made(str(tokenizer_folder), [stage])


def test_packs_are_not_cut(tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=r"data.packing has none"):
        made(str(tokenizer_folder), [{"tokens": 99, "block_size": 4}], packing=True)
    data = made(str(tokenizer_folder), [{"tokens": 99}, {"tokens": 99, "batch_size": 1}], packing=True)
    assert len(list(data.train_dataloader())) == 2 + 7


def test_stages_are_the_whole_training(tokenizer_folder: Path, fails: Callable[..., str], tiny: dict[str, Any]) -> None:
    message = fails(
        "fit", "--model=MaskedLanguageModeling", f"--model.backbone={{config: {tiny}}}", "--data=CorpusDataModule",
        "--data.train_files=a.txt", f"--data.tokenizer={tokenizer_folder}", "--data.stages=[{tokens: 999}]",
        "--trainer.max_epochs=3", "--data.block_size=32", "--trainer.accelerator=cpu",
    )  # fmt: skip
    assert "trainer.max_epochs is 3: set it to 1" in message
