"""What adapters leave behind: merged, and in files of peft."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pretune.contracts import Stored
from pretune.errors import InputError
from pretune.modules import Backbone, CausalLanguageModeling, MaskedLanguageModeling, TextClassification
from pretune.modules.backbone.adapters import merge_adapters, token_layers

peft = pytest.importorskip("peft")
LABELS = {"labels": ["a", "b", "c"]}


def trained(module: Any, tokenizer: Any) -> Any:
    """A built module whose learning weights are away from where they began."""
    torch.manual_seed(1)
    module.tokenizer = tokenizer
    module.build()
    with torch.no_grad():
        for parameter in module.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    module.model.eval()
    return module


def ids() -> torch.Tensor:
    return torch.randint(5, 80, (3, 10), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def decoder(tokenizer: Any, tmp_path: Path) -> Callable[..., Path]:
    def make(rows: int, tied: bool) -> Path:
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        config = LlamaConfig(vocab_size=rows, max_position_embeddings=64, tie_word_embeddings=tied, **sizes)
        LlamaForCausalLM(config).save_pretrained(tmp_path / "decoder")
        tokenizer.save_pretrained(tmp_path / "decoder")
        return tmp_path / "decoder"

    return make


def both_agree(module: Any, base: Path, auto: Any, **options: Any) -> None:
    """The merged export by transformers, and adapters upon the base by peft, compute what the module does."""
    with torch.no_grad():
        wanted = module.model(input_ids=ids()).logits
        module.save_pretrained("whole", check=False)
        whole, report = auto.from_pretrained("whole", output_loading_info=True)
        assert not report["missing_keys"]
        torch.testing.assert_close(whole.eval()(input_ids=ids()).logits, wanted, atol=1e-5, rtol=1e-4)
        module.save_adapters("adapter", check=False)
        plain = auto.from_pretrained(base, **options)
        adapted = peft.PeftModel.from_pretrained(plain, "adapter").eval()
        torch.testing.assert_close(adapted(input_ids=ids()).logits, wanted, atol=1e-5, rtol=1e-4)
        again = peft.AutoPeftModel.from_pretrained("adapter", **options).eval()
        torch.testing.assert_close(again(input_ids=ids()).logits, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "lora",
    [
        {"modules_to_save": ["classifier"]},
        {"modules_to_save": ["pooler", "word_embeddings"]},
        {"trainable_token_indices": [7, 8]},
        {"bias": "all"},
        {"bias": "lora_only"},
        {"use_dora": True},
        {"target_modules": "all-linear"},
        {"init_lora_weights": "pissa"},
    ],
    ids=str,
)
def test_of_a_task(lora: dict[str, Any], encoder: Path, tokenizer: Any) -> None:
    from transformers import AutoModelForSequenceClassification

    backbone = Backbone(str(encoder), lora={"r": 4, **lora}, dropout=0.0)
    both_agree(
        trained(TextClassification(backbone, **LABELS), tokenizer),
        encoder,
        AutoModelForSequenceClassification,
        num_labels=3,
    )


@pytest.mark.parametrize(
    "lora",
    [
        {},
        {"bias": "all"},
        {"modules_to_save": ["decoder"]},
        {"trainable_token_indices": [7, 8]},  # tied to a decoder whose bias peft leaves out
        {"target_modules": ["query", "word_embeddings"]},  # tied weights that part
    ],
    ids=str,
)
def test_of_masked_language_modeling(lora: dict[str, Any], encoder: Path, tokenizer: Any) -> None:
    from transformers import AutoModelForMaskedLM

    backbone = Backbone(str(encoder), lora={"r": 4, **lora}, dropout=0.0)
    both_agree(trained(MaskedLanguageModeling(backbone), tokenizer), encoder, AutoModelForMaskedLM)


def test_layers_that_began_anew_are_in_the_adapter(encoder: Path, tokenizer: Any) -> None:
    from transformers import AutoModelForSequenceClassification

    backbone = Backbone(str(encoder), lora={"r": 4}, reinitialize_layers=1, dropout=0.0)
    module = trained(TextClassification(backbone, **LABELS), tokenizer)
    both_agree(module, encoder, AutoModelForSequenceClassification, num_labels=3)


def test_merging_shared_weights_leaves_the_others(decoder: Callable[..., Path], tokenizer: Any) -> None:
    backbone = Backbone(str(decoder(256, True)), lora={"r": 4, "target_modules": ["embed_tokens"]})
    module = trained(CausalLanguageModeling(backbone), tokenizer)
    merged = merge_adapters(module.model)
    assert not merged.config.tie_word_embeddings
    assert module.model.config.tie_word_embeddings
    with torch.no_grad():
        wanted = module.model(input_ids=ids()).logits
        torch.testing.assert_close(merged(input_ids=ids()).logits, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_new_words_learn_under_lora(tied: bool, decoder: Callable[..., Path], tokenizer: Any) -> None:
    """Their rows are trained, are in both exports, and come back with a checkpoint's description."""
    rows = len(tokenizer) - 10
    base = decoder(rows, tied)
    module = trained(CausalLanguageModeling(Backbone(str(base), lora={"r": 4})), tokenizer)
    layers = token_layers(module.model)
    learning = {id(p) for p in module.model.parameters() if p.requires_grad}
    assert all(id(layer.trainable_tokens_delta["default"]) in learning for layer in layers.values())
    assert all(list(layer.token_indices["default"]) == list(range(rows, len(tokenizer))) for layer in layers.values())
    assert len(layers) == 2  # where they are read, and where they are foretold
    given = torch.tensor([[5, rows + 1, len(tokenizer) - 1, 6]])
    with torch.no_grad():
        wanted = module.model(input_ids=given).logits[..., : len(tokenizer)]
        module.save_adapters("adapter")
        again = peft.AutoPeftModelForCausalLM.from_pretrained("adapter").eval()
        torch.testing.assert_close(again(input_ids=given).logits, wanted, atol=1e-5, rtol=1e-4)
    other = CausalLanguageModeling(Backbone(str(base), lora={"r": 4}))
    other.stored = Stored.of(module.describe())
    other.build()
    other.model.load_state_dict(module.model.state_dict())


def test_new_words_that_do_not_learn_are_told(decoder: Callable[..., Path], tokenizer: Any) -> None:
    backbone = Backbone(str(decoder(len(tokenizer) - 10, True)), adapter={"peft_type": "IA3"})
    with pytest.warns(UserWarning, match=r"10 words are new to the weights.*NOT be trained.*modules_to_save"):
        trained(CausalLanguageModeling(backbone), tokenizer)
    wanted = {"peft_type": "IA3", "modules_to_save": ["embed_tokens"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        trained(CausalLanguageModeling(Backbone(backbone.name, adapter=wanted)), tokenizer)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ({"peft_type": "POLY"}, "POLY cannot be used: it wants to be told the task"),
        ({"peft_type": "ADALORA", "total_step": 9}, "ADALORA cannot be used: its ranks"),
        ({"peft_type": "TRAINABLE_TOKENS", "token_indices": [7]}, "LORA with trainable_token_indices would work"),
        ({"peft_type": "LILY", "target_modules": ["query"]}, "cannot merge LILY.*merge_adapters: false"),
    ],
)
def test_what_would_come_out_wrong_is_refused_at_the_start(
    adapter: dict[str, Any], message: str, encoder: Path, tokenizer: Any
) -> None:
    with pytest.raises(InputError, match=message):
        Backbone(str(encoder), adapter=adapter).build("AutoModelForMaskedLM", tokenizer)


def test_a_method_that_knows_no_layers_of_an_architecture(tokenizer: Any, tiny: dict[str, Any]) -> None:
    config = {"model_type": "modernbert", **{key: value for key, value in tiny.items() if key != "model_type"}}
    with pytest.raises(InputError, match=r"peft knows none for modernbert; target_modules: all-linear would work"):
        Backbone(config=config, lora={"r": 4}).build("AutoModelForMaskedLM", tokenizer)


def test_adapters_of_nothing_are_refused(tiny: dict[str, Any], tokenizer: Any) -> None:
    module = trained(MaskedLanguageModeling(Backbone(config=tiny, lora={"r": 4})), tokenizer)
    with pytest.raises(InputError, match=r"made from scratch: set backbone.merge_adapters: true"):
        module.save_adapters("adapter")


def test_the_adapter_says_what_it_is_for(encoder: Path, tokenizer: Any) -> None:
    module = trained(TextClassification(Backbone(str(encoder), lora={"r": 4}), **LABELS), tokenizer)
    module.save_adapters("adapter")
    config = json.loads(Path("adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(encoder)
    assert config["auto_mapping"]["base_model_class"] == "BertForSequenceClassification"
    assert config["modules_to_save"] == ["bert.pooler.dense", "classifier"]
