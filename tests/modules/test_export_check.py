"""An export that is not what was trained is an error; one that is costs nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import run
from safetensors.torch import load_file, save_file
from torch import nn

from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling, TextClassification, export, export_check
from pretune.modules.export_check import Sample

IDS = torch.arange(5, 77).view(6, 12)


@pytest.fixture
def module(encoder: Path, tokenizer: Any) -> TextClassification:
    found = TextClassification(str(encoder), labels=["a", "b"])
    found.tokenizer = tokenizer
    found.build()
    found.model(input_ids=IDS, attention_mask=(IDS > 0).long())
    return found


def test_a_good_export_passes_and_disturbs_nothing(module: TextClassification) -> None:
    module.model.train()
    module.model.classifier.eval()
    state = torch.random.get_rng_state()
    module.save_pretrained("out")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert module.model.bert.training
    assert not module.model.classifier.training


def test_a_missing_tensor_is_named(module: TextClassification, monkeypatch: pytest.MonkeyPatch) -> None:
    save = type(module.model).save_pretrained

    def without_head(model: Any, folder: str, state_dict: dict[str, Any]) -> None:
        save(model, folder, state_dict={n: w for n, w in state_dict.items() if n != "classifier.weight"})

    monkeypatch.setattr(type(module.model), "save_pretrained", without_head)
    with pytest.raises(InputError, match=r"The export in out lacks classifier.weight \(1 tensors.*export_check: false"):
        module.save_pretrained("out")
    module.save_pretrained("out", check=False)


def test_another_value_is_named(module: TextClassification, monkeypatch: pytest.MonkeyPatch) -> None:
    save = type(module.model).save_pretrained

    def changed(model: Any, folder: str, state_dict: dict[str, Any]) -> None:
        name = "bert.pooler.dense.bias"
        save(model, folder, state_dict={**state_dict, name: state_dict[name] + 1e-3})

    monkeypatch.setattr(type(module.model), "save_pretrained", changed)
    with pytest.raises(InputError, match=r"is not what was trained: bert.pooler.dense.bias differs"):
        module.save_pretrained("out")


def test_other_outputs_of_the_same_weights_are_found(
    module: TextClassification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of another configuration."""
    module.model.bert.encoder.layer[0].intermediate.intermediate_act_fn = nn.ReLU()
    with pytest.raises(InputError, match=r"does not compute what was trained.*logits differ.*no tensor differs"):
        module.save_pretrained("out")


def test_adapters_that_lack_the_head_are_found(encoder: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("peft")
    module = TextClassification(Backbone(str(encoder), lora={"r": 4}), labels=["a", "b"])
    module.tokenizer = tokenizer
    module.build()
    module.model(input_ids=IDS)
    save = export.save_adapters

    def headless(model: Any, folder: str, *rest: Any) -> bool:
        grown = save(model, folder, *rest)
        file = Path(folder, "adapter_model.safetensors")
        weights = load_file(file)
        weights["base_model.model.classifier.weight"] += 1.0
        save_file(weights, file)
        return grown

    module.save_adapters("fine")
    monkeypatch.setattr(export, "save_adapters", headless)
    with pytest.raises(InputError, match=r"read by peft: logits differ.*that differs is classifier.weight"):
        module.save_adapters("adapter")
    Path("adapter/adapter_model.safetensors").unlink()
    monkeypatch.setattr(export, "save_adapters", lambda *_: False)
    with pytest.raises(InputError, match="peft cannot read the export in adapter"):
        module.save_adapters("adapter")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_exported(module: TextClassification, value: float) -> None:
    with torch.no_grad():
        module.model.classifier.bias[0] = value
    with pytest.raises(InputError, match=r"Nothing was exported: 1 of \d+ weights.*the first is classifier.bias"):
        module.save_pretrained("out", check=False)
    assert not Path("out").exists()


def test_nan_is_not_taken_for_nan(module: TextClassification) -> None:
    with torch.no_grad():
        module.model.bert.embeddings.LayerNorm.weight.fill_(3e38)  # numbers, and what they compute is none
    with pytest.raises(InputError, match=r"is of no use: its logits are NaN.*lower model.learning_rate"):
        module.save_pretrained("out")


def test_distances_of_what_is_no_number() -> None:
    nan, inf, mask = float("nan"), float("inf"), torch.tensor([[1, 1, 0]])
    plain = torch.tensor([[[1.0, -inf], [2.0, 4.0], [nan, nan]]])
    assert export_check._distance(plain, plain.clone(), mask) == 0
    for other in ([1.0, 0.0], [nan, -inf], [1.0, inf]):
        changed = plain.clone()
        changed[0, 0] = torch.tensor(other)
        assert export_check._distance(plain, changed, mask) == inf
        assert export_check._distance(changed, plain, mask) == inf
    changed = plain.clone()
    changed[0, 1, 0] = 3.0
    assert export_check._distance(plain, changed, mask) == 0.25


def test_where_memory_is_short_it_is_said(module: TextClassification, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_check.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    with pytest.warns(UserWarning, match="was not read back and compared"):
        module.save_pretrained("out")


def test_half_precision_is_compared_with_its_own_measure(encoder: Path, tokenizer: Any) -> None:
    module = MaskedLanguageModeling(str(encoder))
    module.tokenizer = tokenizer
    module.build()
    module.model.to(torch.bfloat16)
    module.model(input_ids=IDS)
    module.save_pretrained("out")


def test_a_sample_is_small_and_the_first() -> None:
    class Echo(nn.Module):
        def forward(self, **given: Any) -> None: ...

    network = Echo()
    sample = Sample(network)
    assert sample.inputs() == {}
    network(input_ids=torch.ones(2, 3, dtype=torch.long), past_key_values=())
    assert sample.inputs() == {}
    ids = torch.arange(9 * 100).view(9, 100)
    network(input_ids=ids, attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool), labels=ids)
    network(input_ids=ids + 1)
    found = sample.inputs()
    assert torch.equal(found["input_ids"], ids[:4, :32])
    assert found["attention_mask"].shape == (4, 32)
    assert set(found) == {"input_ids", "attention_mask"}


def test_of_a_packed_batch_the_first_document_is_compared() -> None:
    class Echo(nn.Module):
        def forward(self, **given: Any) -> None: ...

    network = Echo()
    sample = Sample(network)
    bounds = torch.tensor([0, 70, 100], dtype=torch.int32)
    network(input_ids=torch.arange(100).unsqueeze(0), cu_seq_lens_q=bounds, position_ids=torch.zeros(1, 100))
    assert torch.equal(sample.inputs()["input_ids"], torch.arange(32).unsqueeze(0))


def test_the_command_line_fails_where_the_export_does(
    reviews: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]
) -> None:
    args = [
        "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        f"--data.train_files={reviews}", "--data.text_column=review", "--data.label_column=stars",
        "--trainer.max_steps=2", "--trainer.precision=32-true", "--name=x",
    ]  # fmt: skip
    check = export.check_whole

    def other(folder: Any, auto: str, weights: dict[str, Any], *rest: Any) -> None:
        assert rest[1]["input_ids"].shape[0] == 4  # rows of the run's own batch
        check(folder, auto, {**weights, "classifier.bias": weights["classifier.bias"] + 1}, *rest)

    monkeypatch.setattr(export, "check_whole", other)
    quiet = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")
    assert "classifier.bias differs" in fails(*args, *quiet)
    run(*args, "--export_check=false")
    monkeypatch.setattr(export, "check_whole", check)
    run(*args)
