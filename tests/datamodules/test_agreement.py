"""Processes that hold different data are told apart before they train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.distributed as dist
import torch.multiprocessing as mp

from pretune.datamodules.agreement import difference, require_agreement
from pretune.errors import InputError

SAME = {"tokenizer": "t", "train data": "d"}


def test_who_differs_in_what() -> None:
    assert difference([("a", SAME), ("b", dict(SAME))]) is None
    others = [("a", SAME), ("b", {**SAME, "tokenizer": "u", "train data": "e"}), ("b", {**SAME, "tokenizer": "u"})]
    told = difference([*others, ("a", SAME), ("c", {**SAME, "tokenizer": "v"})])
    assert told is not None
    assert "the tokenizer of ranks 1-2, 4 (b, c) is another one than that of rank 0 (a)" in told
    told = difference([("a", SAME), ("a", {"tokenizer": "t"})])
    assert told is not None
    assert "the train data of rank 1 (a)" in told


def test_one_process_agrees() -> None:
    require_agreement(SAME)


def process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    require_agreement(SAME)
    try:
        require_agreement({**SAME, "train data": str(rank)})
    except InputError as error:
        Path(folder, f"{rank}.txt").write_text(str(error))
    dist.destroy_process_group()


def test_all_processes_are_stopped(tmp_path: Path) -> None:
    started: Any = mp.start_processes(process, (str(tmp_path),), nprocs=2, join=False, start_method="fork")
    while not started.join(60):
        pass
    told = [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert "the train data of rank 1" in told[0]
