"""Graphs of each family and head compute what the networks do, in other shapes than those they were traced with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pretune import modules
from pretune.errors import InputError
from pretune.modules import Backbone, TextClassification
from pretune.modules.portable.comparison import difference, joined, latencies, owners_of
from pretune.modules.portable.graph import input_names, whole_network
from pretune.modules.portable.onnx_export import GRAPH, compare, replace_by_int8, write_onnx
from pretune.modules.portable.rows import made_up_rows, plain_rows, smaller_rows
from pretune.modules.portable.session import Session, standing_in

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 64,
}  # fmt: skip
BART = {
    "model_type": "bart", "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", **SIZES},
    "roberta": {"model_type": "roberta", **SIZES},
    "distilbert": {"model_type": "distilbert", "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "electra": {"model_type": "electra", "embedding_size": 32, **SIZES},
    "modernbert": {"model_type": "modernbert", **SIZES},
    "deberta": {
        "model_type": "deberta-v2", "relative_attention": True, "pos_att_type": "p2c|c2p",
        **SIZES,
    },
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "llama": {"model_type": "llama", "num_key_value_heads": 1, **SIZES},
    "t5": {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2},
    "bart": BART,
}  # fmt: skip
SLOW = pytest.mark.slow
CASES = [
    ("bert", "TextClassification"),
    ("gpt2", "CausalLanguageModeling"),
    ("t5", "SequenceToSequence"),
    pytest.param("roberta", "TokenClassification", marks=SLOW),
    pytest.param("distilbert", "QuestionAnswering", marks=SLOW),
    pytest.param("electra", "MultipleChoice", marks=SLOW),
    pytest.param("gpt2", "MultipleChoice", marks=SLOW),
    pytest.param("modernbert", "MaskedLanguageModeling", marks=SLOW),
    pytest.param("deberta", "TextClassification", marks=SLOW),
    pytest.param("gpt2", "TextClassification", marks=SLOW),
    pytest.param("llama", "InstructionTuning", marks=SLOW),
    pytest.param("t5", "TextClassification", marks=SLOW),
    pytest.param("bart", "SequenceToSequence", marks=SLOW),
    pytest.param("bart", "SpanDenoising", marks=SLOW),
    pytest.param("electra", "ReplacedTokenDetection", marks=SLOW),
    pytest.param("bert", "NextSentencePrediction", marks=SLOW),
    pytest.param("bert", "SentenceOrderPrediction", marks=SLOW),
]


def built(family: str, name: str, tokenizer: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    if name in ("TextClassification", "TokenClassification"):
        options.setdefault("labels", ["O", "B-x", "I-x"])
    module = getattr(modules, name)(Backbone(config=CONFIGS[family]), **options)
    module.tokenizer = tokenizer
    module.build()
    for parameter in module.model.parameters():  # larger than they begin: outputs are to depend on what is read
        parameter.data += 0.05 * torch.randn_like(parameter)
    return module.eval()


def rows_of(module: Any) -> dict[str, Any]:
    return plain_rows({"token_type_ids": None, **made_up_rows(module)}, input_names(module))


@pytest.mark.parametrize(("family", "name"), CASES)
def test_a_graph_computes_what_its_network_does(family: str, name: str, tokenizer: Any, tmp_path: Path) -> None:
    module = built(family, name, tokenizer)
    network, rows = whole_network(module), rows_of(module)
    session = write_onnx(module, network, tmp_path)
    assert session.inputs == input_names(module)
    found = compare(network, session, [rows], 1e-3, tmp_path)
    assert len(found.shapes) >= 2  # those that follow are none that it was traced with
    assert found.share < 1e-4
    assert {path.name for path in tmp_path.iterdir()} >= {GRAPH, "tokenizer.json", "settings.json", "predict.py"}
    usage = {"QuestionAnswering": "QUESTION TEXT [Q", "MultipleChoice": "CONTEXT ENDING ENDING [E"}.get(name, "TEXT [T")
    for texts in [[], *([["a"]] if len(usage) > 8 else []), *([["a", "b"]] if name == "MultipleChoice" else [])]:
        done = subprocess.run(
            [sys.executable, tmp_path / "predict.py", *texts], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert not done.stdout
        assert done.stderr.startswith(f"usage: python predict.py {usage}")
        assert len(done.stderr.splitlines()) == 1


def test_int8_is_smaller_and_close(tokenizer: Any, tmp_path: Path) -> None:
    module = built("bert", "TextClassification", tokenizer)
    network, rows = whole_network(module), rows_of(module)
    plain = difference(network, write_onnx(module, network, tmp_path), [rows])
    before = (tmp_path / GRAPH).stat().st_size
    found = difference(network, replace_by_int8(tmp_path), [rows])
    assert (tmp_path / GRAPH).stat().st_size < before
    assert plain.share < found.share < 0.2


def test_what_computes_something_else_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    module = built("bert", "TextClassification", tokenizer)
    network = whole_network(module)
    session = write_onnx(module, network, tmp_path)
    network.classifier.bias.data += 1
    with pytest.raises(InputError, match="does not compute what the model does: outputs differ by"):
        compare(network, session, [rows_of(module)], 1e-3, tmp_path)
    network.classifier.bias.data += float("nan")
    with pytest.raises(InputError, match="does not compute what the model does"):
        compare(network, session, [rows_of(module)], 1e-3, tmp_path)


def test_a_head_that_cannot_be_carried_is_refused_in_one_message(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = built("bert", "TextClassification", tokenizer)
    own = module.model.classifier.forward

    def by_values(states: Any) -> Any:  # which way it goes depends on numbers that a graph does not know
        return own(states) if float(states.sum()) > 0 else own(-states)

    monkeypatch.setattr(module.model.classifier, "forward", by_values)
    with pytest.raises(InputError, match="ONNX cannot carry BertForSequenceClassification") as caught:
        write_onnx(module, whole_network(module), tmp_path)
    assert "--format safetensors would work" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert module.model.config._attn_implementation == "sdpa"


def test_without_a_tokenizer_there_is_no_script(tokenizer: Any, tmp_path: Path) -> None:
    module = built("bert", "TextClassification", tokenizer)
    module.tokenizer = None
    with pytest.raises(InputError, match="has no fast tokenizer"):
        write_onnx(module, module.model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_graph_stands_in_for_its_network(tokenizer: Any, tmp_path: Path) -> None:
    module = built("bert", "TextClassification", tokenizer)
    session = write_onnx(module, whole_network(module), tmp_path)
    ids = torch.randint(5, 60, (2, 12))
    with torch.no_grad():
        own = module.model(input_ids=ids).logits
        module.model.classifier.bias.data += 1  # the graph knows nothing of it
        with standing_in(module.model, session):
            found = module.model(input_ids=ids, use_cache=False).logits
        after = module.model(input_ids=ids).logits
    assert torch.allclose(found, own, atol=1e-5)
    assert torch.allclose(after, own + 1, atol=1e-5)


def test_adapters_are_merged(tokenizer: Any, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    module = TextClassification(Backbone(config=CONFIGS["bert"], lora={"r": 2}), labels=["a", "b"])  # type: ignore[arg-type]
    module.tokenizer = tokenizer
    module.build()
    for name, parameter in module.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    module.eval()
    network, rows = whole_network(module), rows_of(module)
    session = write_onnx(module, network, tmp_path)
    assert difference(module.model, session, [rows]).share < 1e-4


def test_smaller_rows_have_no_needless_padding() -> None:
    ids = torch.arange(24).view(4, 6)
    mask = torch.tensor([[1] * 3 + [0] * 3, [1] * 6, [1] * 6, [1] * 6])
    parts = list(smaller_rows({"input_ids": ids, "attention_mask": mask}))
    assert [tuple(part["input_ids"].shape) for part in parts] == [(1, 3)]


def test_rows_of_different_lengths_are_joined() -> None:
    short = {"input_ids": torch.ones(2, 3).long(), "attention_mask": torch.ones(2, 3).long()}
    long = {"input_ids": torch.ones(2, 5).long(), "attention_mask": torch.ones(2, 5).long()}
    found, rows = joined([short, long], [[0, 1], [2, 3]], 3)
    assert rows == 3
    assert found["attention_mask"].sum(1).tolist() == [3, 3, 5]


def test_windows_and_endings_are_joined_by_the_rows_that_they_are_of() -> None:
    ids, mask = torch.arange(12).view(4, 3), torch.ones(4, 3).long()
    windows = owners_of({"input_ids": ids, "example": torch.tensor([4, 4, 4, 7])}, 9)
    assert windows == [4, 4, 4, 7]
    asked = [{"input_ids": ids, "attention_mask": mask}, {"input_ids": ids + 12, "attention_mask": mask}]
    found, rows = joined(asked, [windows, [7, 8, 8, 9]], 2)
    assert rows == 2
    assert found["input_ids"][:, 0].tolist() == [0, 3, 6, 9, 12]
    found, rows = joined(asked, [windows, [7, 8, 8, 9]], 1)
    assert (rows, len(found["input_ids"])) == (1, 3)
    endings = {"input_ids": torch.zeros(2, 3, 5)}
    assert owners_of(endings, 6) == [6, 6, 6, 7, 7, 7]
    assert owners_of({**endings, "choice_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}, 6) == [6, 6, 6, 7, 7]
    assert owners_of({"input_ids": ids}, 3) == [3, 4, 5, 6]


def test_latencies_are_medians_of_turns() -> None:
    turns: list[str] = []
    found = latencies({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, seconds=0)
    assert turns == ["a", "b"] * (len(turns) // 2)
    assert set(found) == {"a", "b"}
    assert all(value > 0 for value in found.values())


def test_a_session_gives_outputs_by_name(tokenizer: Any, tmp_path: Path) -> None:
    module = built("bert", "TextClassification", tokenizer)
    write_onnx(module, whole_network(module), tmp_path)
    session = Session(tmp_path / GRAPH)
    assert session.outputs == ["logits"]
    assert session(rows_of(module))["logits"].shape == (8, 3)
