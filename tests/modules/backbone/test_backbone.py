from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from seven_encoders import CLASSIFIER, config, inputs  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone, TextClassification


def test_pickles_are_never_loaded(encoder: Path, tokenizer: Any) -> None:
    torch.save(load_file(encoder / "model.safetensors"), encoder / "pytorch_model.bin")
    (encoder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot be loaded"):
        Backbone(str(encoder)).build(CLASSIFIER, tokenizer)
    torch.save({"x": Path("code")}, "evil.ckpt")
    with pytest.raises(InputError, match="was not read"):
        Backbone("evil.ckpt").load_config()


def test_remote_code_is_off(encoder: Path) -> None:
    saved = json.loads((encoder / "config.json").read_text())
    saved |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}
    (encoder / "config.json").write_text(json.dumps(saved))
    (encoder / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(InputError, match="cannot be loaded"):
        Backbone(str(encoder)).load_config()


def test_gradient_checkpointing_changes_no_gradient(encoder: Path, tokenizer: Any) -> None:
    found = []
    for switch in (False, True):
        torch.manual_seed(0)
        model, _ = Backbone(str(encoder), dropout=0.0, gradient_checkpointing=switch).build(
            "AutoModelForMaskedLM", tokenizer
        )
        model(**inputs()).logits.square().mean().backward()
        found.append(model.bert.encoder.layer[0].intermediate.dense.weight.grad)
    torch.testing.assert_close(found[0], found[1])


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match=r"no option 'droput'.*did you mean dropout"):
        Backbone.of({"name": "x", "droput": 0.1})
    with pytest.raises(InputError, match=r"needs a `name` .* or a `config`"):
        Backbone().load_config()
    with pytest.raises(InputError, match="no tokenizer of its own"):
        Backbone(config=config("bert")).load_tokenizer()


def test_an_empty_mapping_is_an_adapter_with_its_defaults(encoder: Path, tokenizer: Any) -> None:
    pytest.importorskip("peft")
    model, _ = Backbone(str(encoder), lora={}).build("AutoModelForMaskedLM", tokenizer)
    assert any("lora_A" in name for name, _ in model.named_parameters())


def test_lora_learns_little_and_merges_exactly(encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from transformers import AutoModelForSequenceClassification

    model = TextClassification(Backbone(str(encoder), lora={"r": 4}, dropout=0.0), labels=["a", "b"])
    model.tokenizer = tokenizer
    model.build()
    learning = {name for name, p in model.model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or not name.startswith("bert.") or "pooler" in name for name in learning)
    assert sum("lora_A" in name for name in learning) == 4  # query and value of two layers
    for name, parameter in model.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    model.eval()
    model.save_pretrained(tmp_path / "merged")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    assert not any("lora" in name or "base_layer" in name for name, _ in plain.named_parameters())
    torch.testing.assert_close(plain(**inputs()).logits, model(**inputs()).logits, atol=1e-5, rtol=1e-5)
    assert any("lora_B" in name for name, _ in model.model.named_parameters())  # the module itself goes on


@pytest.mark.parametrize("kind", ["LORA", "IA3", "LOHA", "OFT"])
def test_adapters_are_saved_as_peft_reads_them(kind: str, encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForSequenceClassification

    backbone = Backbone(str(encoder), adapter={"peft_type": kind}, dropout=0.0, merge_adapters=False)
    model = TextClassification(backbone, labels=["a", "b", "c"])
    model.tokenizer = tokenizer
    model.build()
    with torch.no_grad():
        for parameter in model.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.eval()
    model.save_pretrained(tmp_path / "adapter")
    assert not (tmp_path / "adapter/model.safetensors").exists()
    plain = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=3, hidden_dropout_prob=0.0)
    adapted = peft.PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    torch.testing.assert_close(adapted(**inputs()).logits, model(**inputs()).logits, atol=1e-5, rtol=1e-5)
    model.backbone.merge_adapters = True
    model.save_pretrained(tmp_path / "merged")
    merged = AutoModelForSequenceClassification.from_pretrained(tmp_path / "merged")
    torch.testing.assert_close(merged(**inputs()).logits, model(**inputs()).logits, atol=1e-4, rtol=1e-4)


def test_adapters_that_do_not_work(encoder: Path) -> None:
    pytest.importorskip("peft")
    for options, message in (
        ({"adapter": {"peft_type": "PREFIX_TUNING"}}, "backbone.adapter: "),
        ({"adapter": {"r": 8}}, "backbone.adapter needs a peft_type"),
        ({"adapter": {"peft_type": "IA3"}, "lora": {"r": 8}}, "give one of them"),
        ({"lora": {"rank": 8}}, "backbone.lora: "),
    ):
        with pytest.raises(InputError, match=message):
            Backbone(str(encoder), **options).build("AutoModelForMaskedLM", None)
