"""The folder that a preparation works in, beside what it writes: `unfinished/`, which is gone at the end."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from ...storage.folders import Folder
from .corpus import Corpus
from .plan import Portion, read_plan

NAME = "unfinished"
PLAN, CORPUS, STATE = "plan.json", "corpus.pickle", "state.json"
AT_ONCE = 16
"""Small files that are read at a time: from a store, each takes a moment."""


class Work:
    """Where the steps of a preparation leave what the next ones read.

    Args:
        output: URL of the folder that the shards go to.
    """

    def __init__(self, output: str) -> None:
        self.output = output
        self.folder = Folder(output).below(NAME)

    def url(self, *names: str) -> str:
        """Return the URL of a folder in it."""
        return "/".join([self.folder.url, *names])

    def portions(self) -> list[Portion]:
        """Return the plan."""
        return _plan(self.output)

    def corpus(self) -> Corpus:
        """Return what is prepared."""
        corpus: Corpus = _corpus(self.output)
        return corpus

    # ------------------------------------------------------------------ what is done

    def mark(self, stage: str, portion: Portion, facts: dict[str, Any]) -> None:
        """Note that a portion is done, and what came of it: the last that a stage writes of it."""
        self.folder.write(f"{stage}/done/{portion.name}.json", json.dumps(facts, sort_keys=True).encode())

    def is_marked(self, stage: str, portion: Portion) -> bool:
        """Return whether a portion is done."""
        return self.folder.exists(f"{stage}/done/{portion.name}.json")

    def marked(self, stage: str) -> int:
        """Return how many portions are done."""
        return len([name for name in self.folder.below(stage).below("done").names() if name.endswith(".json")])

    def facts(self, stage: str, portions: Iterable[Portion]) -> list[dict[str, Any]]:
        """Return what came of portions, in their order."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            names = [f"{stage}/done/{portion.name}.json" for portion in portions]
            return [json.loads(content) for content in threads.map(self.folder.read, names)]

    # ------------------------------------------------------------------ what goes wrong

    def tell(self, stage: str, rank: int, message: str) -> None:
        """Leave what a user can mend for whoever waits for a task, wherever it runs."""
        self.folder.write(f"{stage}/failed/{rank:05d}.txt", message.encode())

    def told(self, stage: str) -> str | None:
        """Return what the first task that failed has left."""
        failed = self.folder.below(stage).below("failed")
        names = failed.names()
        return failed.read(names[0]).decode() if names else None

    def forget(self, stage: str) -> None:
        """Remove what an earlier try has left of that."""
        self.folder.remove(f"{stage}/failed")


@lru_cache(maxsize=1)
def _plan(output: str) -> list[Portion]:
    return read_plan(Work(output).folder.read(PLAN).decode())


@lru_cache(maxsize=1)
def _corpus(output: str) -> Any:
    return pickle.loads(Work(output).folder.read(CORPUS))


def forget_read() -> None:
    """Read plan and corpus anew: another preparation may write to the same place."""
    _plan.cache_clear()
    _corpus.cache_clear()
