"""A temperature in the last layer of a network: its logits are divided by it, and its weights come back to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from pretune.modules.calibration.folding import folded, last_linear

SMALL: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "distilbert": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16},
    "roberta": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "deberta-v2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "electra": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
                "embedding_size": 16},
    "modernbert": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "llama": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    "bart": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
             "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16},
    "t5": {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16,
           "decoder_start_token_id": 0},
}  # fmt: skip
HEADS = ["AutoModelForSequenceClassification", "AutoModelForTokenClassification", "AutoModelForMultipleChoice"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", SMALL)
def test_logits_are_divided(family: str, head: str) -> None:
    torch.manual_seed(0)
    auto, options = getattr(transformers, head), SMALL[family]
    special = {"pad_token_id": 1, "eos_token_id": 2, "bos_token_id": 0, "cls_token_id": 0, "sep_token_id": 2}
    config = transformers.AutoConfig.for_model(family, vocab_size=40, num_labels=3, **options, **special)
    if type(config) not in auto._model_mapping:
        pytest.skip(f"{family} has no such head")
    model = auto.from_config(config).eval()
    ids = torch.tensor([[5, 6, 7, 2], [8, 9, 10, 2]])
    ids = ids.unsqueeze(1) if head == HEADS[2] else ids
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    layer = last_linear(model, 1 if head == HEADS[2] else 3)
    assert layer is not None
    with torch.no_grad():
        plain = model(input_ids=ids).logits
        with folded(layer, 2.5):
            assert model(input_ids=ids).logits == pytest.approx(plain / 2.5, abs=1e-6)
        assert torch.equal(model(input_ids=ids).logits, plain)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_head_that_peft_has_copied() -> None:
    from peft import LoraConfig, get_peft_model

    options = SMALL["bert"]
    config = transformers.AutoConfig.for_model("bert", vocab_size=40, num_labels=3, **options)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    adapted: Any = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", target_modules=["query"])).eval()
    layer = last_linear(adapted.base_model.model, 3)
    assert layer is adapted.base_model.model.classifier.modules_to_save["default"]


def test_a_head_without_a_linear_layer_is_told() -> None:
    assert last_linear(_headless(), 5) is None


def _headless() -> Any:
    network: Any = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
    network.base_model_prefix = "body"
    return network
