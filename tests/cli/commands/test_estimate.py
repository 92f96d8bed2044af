"""What a training would need: against the network itself, by hand, and for what no machine here could hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import AutoConfig, AutoModelForMaskedLM

from pretune.cli.commands.estimate import estimate  # noqa: F401  heavy: not while a test is timed

Run = Callable[..., Any]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
CONFIG: dict[str, Any] = {
    "model": {
        "class_path": "MaskedLanguageModeling",
        "init_args": {"backbone": {"config": {"model_type": "bert", **SIZES}}, "mask_probability": 0.25},
    },
    "data": {
        "class_path": "CorpusDataModule",
        "init_args": {
            "train_files": "text.txt",
            "tokenizer": {"train": "wordpiece", "vocab_size": 512},
            "block_size": 16,
            "batch_size": 4,
        },
    },
    "trainer": {"max_steps": 100, "precision": "32-true", "accumulate_grad_batches": 2},
}


@pytest.fixture
def config() -> str:
    Path("text.txt").write_text("Some text.")
    Path("mine.yaml").write_text(yaml.safe_dump(CONFIG))
    return "mine.yaml"


def test_by_hand(config: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    found = run("estimate", "--config", config, "--json=found.json", "--teraflops=2")
    assert found == json.loads(Path("found.json").read_text())
    bert = AutoModelForMaskedLM.from_config(AutoConfig.for_model("bert", vocab_size=512, **SIZES))
    parameters = sum(p.numel() for p in bert.parameters())
    assert found["parameters"] == found["learning"] == parameters
    memory = found["memory"]["ddp"]
    buffers = sum(b.nbytes for b in bert.buffers())
    assert memory["weights"] == 4 * parameters + buffers
    assert [memory["gradients"], memory["optimizer"]] == [4 * parameters, 8 * parameters]  # kept from batch to batch
    assert memory["copies for autocast"] == 0
    assert found["process"] == pytest.approx(0.5e9 + 1.35 * sum(memory.values()))
    assert found["tokens_per_step"] == 2 * 4 * 16
    assert found["tokens"] == 100 * found["tokens_per_step"]
    body = 2 * 2 * (4 * 32**2 + 2 * 32 * 64) + 4 * 32 * 2 * 16
    head = 0.25 * 2 * (32 * 512 + 32**2)
    assert found["flops_per_token"] == pytest.approx(3 * (body + head))
    assert found["seconds"] == pytest.approx(found["tokens"] * found["flops_per_token"] / 2e12)
    printed = capsys.readouterr().out
    assert "parameters, " in printed
    assert f"the process, about   {found['process'] / 1e6:>11.2f}  with libraries" in printed
    assert not Path("runs").exists()


def test_what_no_machine_here_holds_takes_seconds(config: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    llama = {"hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8}
    llama |= {"intermediate_size": 28672, "vocab_size": 128256, "max_position_embeddings": 8192}
    began = time.process_time()
    args = [
        "--model=CausalLanguageModeling",
        f"--model.backbone={json.dumps({'config': {'model_type': 'llama', **llama}, 'gradient_checkpointing': True})}",
        "--data=CorpusDataModule",
        "--data.train_files=text.txt",
        "--data.tokenizer={train: bytelevel, vocab_size: 128256}",
        "--data.block_size=4096",
        "--data.batch_size=1",
        "--trainer.precision=bf16-mixed",
        "--hardware=h100x512",
        "--tokens=1.4e12",
    ]
    found = run("estimate", *args)
    assert time.process_time() - began < 60
    assert found["parameters"] == pytest.approx(70.6e9, rel=0.01)
    assert found["fits"] == {"ddp": False, "fsdp": True}
    assert found["memory"]["fsdp"]["optimizer"] == pytest.approx(8 * found["parameters"] / 512)
    # Embeddings, head and norm stay gathered, and two layers come and go; all in half precision.
    layer = 2 * 8192**2 + 2 * 1024 * 8192 + 3 * 8192 * 28672 + 2 * 8192
    weights = 4 * found["parameters"] / 512 + 2 * (2 * 128256 * 8192 + 8192 + 2 * layer)
    assert found["memory"]["fsdp"]["weights"] == pytest.approx(weights, rel=1e-4)
    assert found["seconds"] == pytest.approx(found["flops"] / (512 * 989e12 * 0.4))
    printed = capsys.readouterr().out
    assert "It does not fit h100 (80 GB) with DDP. Weights sharded over the devices, one unit a layer, would" in printed
    assert "trainer.strategy: fully_sharded" in printed
    assert " days" in printed


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_what_fsdp_holds(config: str, run: Run, precision: str) -> None:
    llama = {"hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 128}
    backbone = {"config": {"model_type": "llama", **llama, "vocab_size": 512}}
    args = ["--model=CausalLanguageModeling", f"--model.backbone={json.dumps(backbone)}", "--data=CorpusDataModule"]
    args += ["--data.train_files=text.txt", "--data.tokenizer={train: bytelevel, vocab_size: 512}"]
    args += ["--data.block_size=8", "--data.batch_size=1", "--trainer.accumulate_grad_batches=2"]
    found = run("estimate", *args, f"--trainer.precision={precision}", "--hardware=h100x8")["memory"]["fsdp"]
    root, layer = 2 * 512 * 64 + 64, 4 * 64**2 + 3 * 64 * 128 + 2 * 64
    kept, gathered = {"32-true": (4, 4), "bf16-mixed": (4, 2), "bf16-true": (2, 2), "64-true": (8, 8)}[precision]
    held = kept * (root + 5 * layer) / 8 + gathered * (root + 2 * layer)
    assert found["weights"] == pytest.approx(held, rel=1e-3)  # and the angles of positions
    assert found["gradients"] == pytest.approx(held)
    assert found["optimizer"] == pytest.approx(2 * kept * (root + 5 * layer) / 8)
    assert found["copies for autocast"] == 0


def test_short_names_of_precisions_are_lightnings(config: str, run: Run) -> None:
    found = run("estimate", "--config", config, "--trainer.precision=bf16")
    assert found == run("estimate", "--config", config, "--trainer.precision=bf16-mixed")


def test_a_peak_that_is_not_known_is_told(config: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("estimate", "--config", config, "--trainer.precision=64-true", "--hardware=t4")
    assert "time       no peak of t4 in 64-true is known: give --teraflops" in capsys.readouterr().out


def test_less_learns_and_less_is_kept(config: str, run: Run) -> None:
    whole = run("estimate", "--config", config)
    frozen = run("estimate", "--config", config, "--model.backbone.freeze=embeddings")
    checked = run("estimate", "--config", config, "--model.backbone.gradient_checkpointing=true")
    assert frozen["learning"] < whole["learning"] == frozen["parameters"]
    assert checked["memory"]["ddp"]["activations"] < whole["memory"]["ddp"]["activations"]


def test_bad_options_say_so(config: str, fails: Callable[..., str]) -> None:
    assert "--mfu is 2; it must be above 0 and at most 1" in fails("estimate", "--config", config, "--mfu=2")
    for name, wrong in (("tokens", "nan"), ("tokens", "inf"), ("teraflops", "inf"), ("mfu", "nan"), ("tokens", "0")):
        assert f"--{name} is {wrong}; it must be above 0 and " in fails(
            "estimate", "--config", config, f"--{name}={wrong}"
        )
    assert "a number would work" in fails("estimate", "--config", config, "--tokens=many")
    assert "--hardware abacus is not known" in fails("estimate", "--config", config, "--hardware=abacus")
    message = fails("estimate", "--config", config, "--model.backbone.config.model_type=gpt2")
    assert "MaskedLanguageModeling" in message or "gpt2" in message


def test_adapters_learn_alone(config: str, run: Run) -> None:
    found = run("estimate", "--config", config, "--model.backbone.lora={r: 4}")
    head = 32 * 32 + 32 + 2 * 32 + 512  # transform, its norm, and the bias of the words
    assert found["learning"] - head == found["parameters"] - run("estimate", "--config", config)["parameters"]


def test_rows_are_as_long_as_a_run_has_them(mine: Path, encoder: Path, run: Run, capsys: Any) -> None:
    """A length that is not set is that of the tokenizer or of the network, whichever is less, as in `fit`."""
    found = run("estimate", "--config", mine, "--trainer.max_steps=10")
    assert found["length"] == 64  # of the network's positions
    assert found["tokens"] == 10 * 32 * 64
    assert found["optimal_tokens"] is None  # a rule for pretraining
    assert "optimal" not in capsys.readouterr().out
    settings = json.loads((encoder / "tokenizer_config.json").read_text())
    (encoder / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 40}))
    assert run("estimate", "--config", mine)["length"] == 40
