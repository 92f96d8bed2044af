from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pretune.contracts import with_hints
from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling, TextClassification
from pretune.modules.backbone.layers import in_body
from pretune.modules.backbone.positions import max_positions

CLASSIFIER = "AutoModelForSequenceClassification"
SEVEN = {
    "bert": {},
    "roberta": {},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "deberta-v2": {},
    "modernbert": {"num_hidden_layers": 3},
}


def config(model_type: str) -> dict[str, Any]:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    special = SEVEN.get(model_type, {})
    return {"model_type": model_type, **(special if model_type == "distilbert" else {**sizes, **special})}


def inputs() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (3, 12), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def test_report_of_loaded_new_and_unused_weights(encoder: Path, tokenizer: Any) -> None:
    _, report = Backbone(str(encoder)).build(CLASSIFIER, tokenizer, num_labels=2)
    assert set(report.new) == {
        "bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"
    }  # fmt: skip
    assert len(report.loaded) == 37
    assert all(name.startswith("cls.predictions") for name in report.unused)
    assert len(report.unused) == 5
    assert report.head_is_new
    assert "37 tensors loaded, 4 new, 5 unused" in str(report)
    _, report = Backbone(str(encoder)).build("AutoModelForMaskedLM", tokenizer)
    assert not report.new
    assert not report.head_is_new


def test_loaded_weights_are_those_of_the_file(encoder: Path, tokenizer: Any) -> None:
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer, num_labels=2)
    saved = load_file(encoder / "model.safetensors")
    for name, value in model.bert.state_dict(prefix="bert.").items():
        if "pooler" not in name:
            assert torch.equal(value, saved[name]), name


def test_nothing_matches(encoder: Path, tokenizer: Any) -> None:
    save_file({"other.weight": torch.zeros(3)}, encoder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"No weight .* matches a bert: the file holds other.weight"):
        Backbone(str(encoder)).build(CLASSIFIER, tokenizer)


def test_other_sizes_are_refused(encoder: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match="do not fit its configuration"):
        Backbone(str(encoder), config={"intermediate_size": 48}).build(CLASSIFIER, tokenizer)
    with pytest.raises(InputError, match=r"no field 'hiden_size' \(did you mean hidden_size"):
        Backbone(str(encoder), config={"hiden_size": 48}).build(CLASSIFIER, tokenizer)


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


@pytest.mark.parametrize("model_type", SEVEN)
def test_vocabulary_and_special_tokens_follow_the_tokenizer(model_type: str, tokenizer: Any) -> None:
    model, _ = Backbone(config=config(model_type)).build("AutoModelForMaskedLM", tokenizer)
    assert model.config.vocab_size % 64 == 0
    assert model.config.vocab_size - 64 < len(tokenizer) <= model.config.vocab_size
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.training


def test_the_embedding_grows_and_never_shrinks(encoder: Path, tokenizer: Any) -> None:
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer)
    assert model.config.vocab_size == 256  # more rows than the tokenizer has entries
    before = model.get_input_embeddings().weight.detach().clone()
    tokenizer.add_tokens([f"new{i}" for i in range(200)])
    model, _ = Backbone(str(encoder)).build(CLASSIFIER, tokenizer)
    table = model.get_input_embeddings().weight
    assert len(table) % 64 == 0
    assert len(table) >= len(tokenizer)
    assert torch.equal(table[:256], before)
    spread = (before - before.mean(0)).norm(dim=1).mean()
    assert (table[256:] - before.mean(0)).norm(dim=1).max() < spread


@pytest.mark.parametrize("model_type", SEVEN)
def test_dropout_replaces_every_probability(model_type: str, tokenizer: Any) -> None:
    model, _ = Backbone(config=config(model_type), dropout=0.37).build(CLASSIFIER, tokenizer)
    found = [
        m.p if isinstance(m, torch.nn.Dropout) else m.drop_prob
        for m in model.modules()
        if "Dropout" in type(m).__name__
    ]
    assert all(p == 0.37 for p in found)
    assert found or model_type == "modernbert"


@pytest.mark.parametrize("model_type", SEVEN)
@pytest.mark.parametrize("what", ["embeddings", 1, "all"])
def test_frozen_parts_do_not_move(model_type: str, what: Any, tokenizer: Any) -> None:
    torch.manual_seed(0)
    model, _ = Backbone(config=config(model_type), freeze=what).build(CLASSIFIER, tokenizer)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any("word_embeddings" in n or "tok_embeddings" in n for n in frozen)
    assert any(n.startswith(("classifier", "head")) for n in learning)
    body = [n for n in learning if n.startswith(model.base_model_prefix + ".") and "pooler" not in n]
    # ALBERT's layers are one layer, repeated: freezing the lowest freezes them all.
    assert (not body) == (what == "all" or (what == 1 and model_type == "albert"))
    model(**inputs()).logits.sum().backward()
    assert all(p.grad is None for n, p in model.named_parameters() if n in frozen)


def test_freezing_more_than_there_is(encoder: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"freeze is 9, but the network has 2 layers"):
        Backbone(str(encoder), freeze=9).build(CLASSIFIER, tokenizer)
    with pytest.raises(InputError, match=r"reinitialize_layers is 9, but .* has 2 layers"):
        Backbone(str(encoder), reinitialize_layers=9).build(CLASSIFIER, tokenizer)


def test_reinitialized_layers_are_new_and_others_are_not(encoder: Path, tokenizer: Any) -> None:
    saved = load_file(encoder / "model.safetensors")
    model, _ = Backbone(str(encoder), reinitialize_layers=1).build(CLASSIFIER, tokenizer)
    weights = dict(model.named_parameters())
    low, high = (f"bert.encoder.layer.{i}.intermediate.dense.weight" for i in (0, 1))
    assert torch.equal(weights[low], saved[low])
    assert not torch.equal(weights[high], saved[high])
    assert weights[high].detach().std() == pytest.approx(0.02, rel=0.1)


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


def test_positions() -> None:
    assert max_positions(Backbone(config={**config("bert"), "max_position_embeddings": 64}).load_config()) == 64
    assert max_positions(Backbone(config={**config("roberta"), "max_position_embeddings": 66}).load_config()) == 64
    assert max_positions(Backbone(config={"model_type": "t5"}).load_config()) is None


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


def test_head_options(encoder: Path) -> None:
    with pytest.raises(InputError, match=r"mask_probability is 1.5"):
        MaskedLanguageModeling(str(encoder), mask_probability=1.5)
    with pytest.raises(InputError, match=r"must be at least 0 and sum to at most 1"):
        MaskedLanguageModeling(str(encoder), mask_share=0.9, random_share=0.2)


@pytest.mark.parametrize(
    ("model_type", "start"), [("t5", "pad"), ("pegasus", "pad"), ("bart", "eos"), ("mbart", "eos")]
)
def test_decoders_begin_and_end_with_the_tokenizers_own_tokens(model_type: str, start: str, tokenizer: Any) -> None:
    config = Backbone(config={"model_type": model_type}).load_config(tokenizer)
    ids = {"pad": tokenizer.pad_token_id, "eos": tokenizer.sep_token_id}
    assert config.decoder_start_token_id == ids[start]
    assert getattr(config, "forced_eos_token_id", None) in (None, ids["eos"])


@pytest.mark.parametrize(
    "auto", ["AutoModelForSeq2SeqLM", "AutoModelForQuestionAnswering", "AutoModelForTokenClassification"]
)
def test_the_body_of_t5_is_told_from_its_head(auto: str, tokenizer: Any) -> None:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "tie_word_embeddings": False}
    model, _ = Backbone(config={"model_type": "t5", **sizes}, freeze="all").build(auto, tokenizer)
    heads = {name.partition(".")[0] for name, _ in model.named_parameters() if not in_body(model, name)}
    assert heads <= {"lm_head", "qa_outputs", "classifier"}
    assert heads == {name.partition(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def test_compiled_layers_are_compiled_once_for_all_steps_and_layers(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks differ from step to step, shapes do not; keys and losses are those of the plain network."""
    seen: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        seen.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    architecture = {**config("bert"), "num_hidden_layers": 3}
    losses, keys = [], []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = MaskedLanguageModeling(
            Backbone(config=architecture, dropout=0.0, compile=compiled), mask_probability=0.3
        )
        model.tokenizer = tokenizer
        model.build()
        ids = torch.randint(5, 60, (3, 4, 12), generator=torch.Generator().manual_seed(1))
        batches = [with_hints({"input_ids": i, "attention_mask": torch.ones_like(i)}) for i in ids]
        losses.append([model.step(batch, "train").loss for batch in batches])
        sum(losses[-1]).backward()
        keys.append(list(model.state_dict()))
    torch.testing.assert_close(losses[1], losses[0])
    assert keys[1] == keys[0]
    assert len(seen) == 1
    torch._dynamo.reset()
