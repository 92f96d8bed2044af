"""What modules and data ask of each other."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader

import pretune.datamodules as datamodules
import pretune.modules as modules
from pretune.contracts import (
    DataFacts,
    LoaderFacts,
    ModuleFacts,
    data_facts,
    files_of,
    is_defined,
    loader_facts,
    module_facts,
    set_length,
)
from pretune.datamodules.base import BaseDataModule
from pretune.datamodules.batching.loader import ResumableLoader
from pretune.modules import Backbone, MaskedLanguageModeling, QuestionAnswering, TextClassification
from pretune.modules.base import BaseModule
from pretune.modules.optimization.module import OptimizedModule

ROOT = Path(__file__).parents[2]
KINDS: list[tuple[type[Any], Any]] = [
    (DataFacts, data_facts),
    (ModuleFacts, module_facts),
    (LoaderFacts, loader_facts),
]


def facts_in(kind: type[Any]) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


# ------------------------------------------------------------------ facts


@pytest.mark.parametrize(("kind", "ask"), KINDS)
def test_every_fact_has_a_default(kind: type[Any], ask: Any) -> None:
    """Which None, and whoever knows nothing of this suite, answer."""
    assert set(kind.__annotations__) <= facts_in(kind)
    for stranger in (None, LightningDataModule(), LightningModule(), DataLoader([1, 2])):  # type: ignore[arg-type]
        for name in facts_in(kind):
            found, default = getattr(ask(stranger), name), inspect.getattr_static(kind, name)
            if inspect.isfunction(default):
                assert found.__func__ is default
            else:
                assert found == default, name


def test_ours_say_them() -> None:
    assert issubclass(BaseDataModule, DataFacts)
    assert issubclass(BaseModule, ModuleFacts)
    assert issubclass(ResumableLoader, LoaderFacts)
    for found, kind in ((datamodules, DataFacts), (modules, ModuleFacts)):
        for name in found.__all__:
            one = getattr(found, name)
            if isinstance(one, type) and name.endswith("DataModule"):
                assert issubclass(one, kind)
    data = datamodules.TextClassificationDataModule("a.csv", max_length=12)
    assert data_facts(data) is data
    assert (data.longest, data.holds, data.length_option, set_length(data)) == (12, "labels", "max_length", 12)
    module = TextClassification("somewhere", labels=["a", "b"])
    assert module_facts(module) is module
    assert module.known_labels(fitting=True) == ["a", "b"]
    masked = MaskedLanguageModeling(Backbone(config={"model_type": "bert"}), masking="word")
    assert (masked.needs_word_ids, masked.frames_text, masked.labels) == (True, True, None)


def test_no_default_hides_what_lightning_has() -> None:
    """Or what it has would be hidden from it."""
    assert not facts_in(DataFacts) & set(dir(LightningDataModule))
    assert not facts_in(ModuleFacts) & set(dir(LightningModule))
    assert not facts_in(LoaderFacts) & set(dir(DataLoader))


class Foreign(LightningDataModule):
    """Another's, with what a module may ask for."""

    length_option = "width"

    def __init__(self, tokenizer: Any) -> None:
        super().__init__()
        self.tokenizer, self.width, self.predict_from = tokenizer, 7, 0
        self.labels = ["no", "yes"]

    @property
    def longest(self) -> int:
        return self.width

    @property
    def problem(self) -> str:
        raise RuntimeError("call setup first")

    def occurrences(self, split: str) -> dict[str, int]:
        return {split: 3}


def test_another_datamodule_is_understood(tokenizer: Any, tiny: dict[str, Any]) -> None:
    data = Foreign(tokenizer)
    facts = data_facts(data)
    assert facts.tokenizer is tokenizer
    assert (facts.longest, facts.labels, facts.occurrences("test")) == (7, ["no", "yes"], {"test": 3})
    assert set_length(data) == 7
    assert (facts.longest_target, facts.counts, list(facts.predict_rows)) == (None, {}, [])
    with pytest.raises(RuntimeError, match="call setup first"):  # its own trouble, and no fact that is missing
        _ = facts.problem
    facts.predict_from = 5
    assert data.predict_from == 5
    facts.predict_key = "mine"  # which it does not have
    assert not hasattr(data, "predict_key")

    masked = MaskedLanguageModeling(Backbone(config=tiny))
    masked.prepare(data)
    assert masked.tokenizer is tokenizer
    del Foreign.problem
    task = TextClassification(Backbone(config=tiny))
    task.prepare(data)
    assert (task.tokenizer, task.labels, task.problem) == (tokenizer, ["no", "yes"], "single")


def test_another_module_is_understood() -> None:
    module: Any = LightningModule()
    module.labels, module.frames_text = ["a"], False
    module.official_prediction = lambda number, row: (str(number), row)
    facts = module_facts(module)
    assert (facts.labels, facts.frames_text, facts.needs_word_ids, facts.input_limit()) == (["a"], False, False, None)
    assert is_defined(facts, ModuleFacts.official_prediction)
    assert not is_defined(facts, ModuleFacts.merge_predictions)
    assert facts.merge_predictions([(3, {"prediction": "x"})]) == {3: {"prediction": "x"}}


def test_a_network_is_not_hidden_by_a_default() -> None:
    """As a default of the class itself would hide it: torch keeps networks elsewhere than attributes."""

    class Own(OptimizedModule):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.Linear(2, 2)

        def networks(self) -> list[torch.nn.Module]:
            return [self.backbone]

    own = Own()
    assert isinstance(own.backbone, torch.nn.Linear)
    assert module_facts(own).backbone is own.backbone
    assert module_facts(own).networks() == [own.backbone]
    assert module_facts(own).guard is own.guard


def test_what_is_defined() -> None:
    assert is_defined(QuestionAnswering("somewhere"), ModuleFacts.official_prediction)
    assert not is_defined(TextClassification("somewhere"), ModuleFacts.official_prediction)
    data = SimpleNamespace(examples=lambda split: [])
    assert is_defined(data_facts(data), DataFacts.examples)
    assert not is_defined(data_facts(None), DataFacts.examples)


def test_nobody_probes() -> None:
    """What one side asks of the other stands in `contracts/` and nowhere else."""
    facts = set().union(*(facts_in(kind) for kind, _ in KINDS))
    others = ("callback", "c", "best", "probe")  # callbacks have monitors, too
    for room in ("modules", "datamodules", "cli"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("getattr", "hasattr"):
                    continue
                asked, name = node.args[:2]
                if isinstance(name, ast.Constant) and name.value in facts:
                    assert ast.unparse(asked) in others, f"{path}:{node.lineno}"


def test_a_foreign_source_may_be_anything() -> None:
    class Foreign:
        source = "a web page"

    assert files_of(data_facts(Foreign()), "train") is None
    assert files_of(data_facts(None), "train") is None
