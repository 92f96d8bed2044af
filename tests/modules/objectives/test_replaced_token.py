from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_combinations import BACKBONES, make, tokens  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import ReplacedTokenDetection


def built(tokenizer: Any, backbone: str = "electra", **options: Any) -> Any:
    model = make("ReplacedTokenDetection", backbone, tokenizer, **options)
    model.build()
    return model


ENCODERS = [name for name, (family, _) in BACKBONES.items() if family == "encoder"]


@pytest.mark.parametrize("backbone", ENCODERS)
def test_embeddings_are_shared_by_default(backbone: str, tokenizer: Any) -> None:
    model = built(tokenizer, backbone)
    shared = model.model.get_input_embeddings().weight
    assert model.generator.get_input_embeddings().weight is shared
    assert model.generator.get_output_embeddings().weight is shared
    parameters = [p for group in model.parameter_groups() for p in group["params"]]
    assert len(parameters) == len({id(p) for p in parameters}) == len(list(model.parameters()))
    small = sum(p.numel() for p in model.generator.base_model.parameters())
    assert small < sum(p.numel() for p in model.model.base_model.parameters()) or backbone == "albert"
    apart = built(tokenizer, backbone, share_embeddings=False)
    assert apart.generator.get_input_embeddings().weight is not apart.model.get_input_embeddings().weight


def test_sizes_are_independent(tokenizer: Any) -> None:
    model = built(tokenizer, generator={"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 1})
    assert model.generator.config.hidden_size == 12
    assert model.model.config.hidden_size == 32
    with pytest.raises(InputError, match=r"embeddings are 16 wide, the discriminator's 32.*share_embeddings: false"):
        built(tokenizer, "bert", generator={"hidden_size": 16})
    wide = built(tokenizer, "bert", generator={"hidden_size": 16}, share_embeddings=False)
    assert wide.step(tokens(), "val")["discriminator"].count == tokens()["attention_mask"].sum()
    with pytest.raises(InputError, match="no field 'hiden_size'"):
        built(tokenizer, generator={"hiden_size": 16})


def test_draws_follow_the_generators_distribution(tokenizer: Any) -> None:
    model = built(tokenizer)
    logits = torch.full((20_000, 90), -20.0)
    logits[:, 10], logits[:, 11], logits[:, tokenizer.mask_token_id] = 0.0, 1.0, 9.0
    uniforms = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    for temperature in (1.0, 0.5):
        model.temperature = temperature
        drawn = model.draw(logits, uniforms)
        assert set(drawn.tolist()) == {10, 11}  # never a special token, however likely
        chance = torch.sigmoid(torch.tensor(1.0 / temperature)).item()
        assert abs(float((drawn == 11).float().mean()) - chance) < 3 * (chance * (1 - chance) / 20_000) ** 0.5


def test_only_masked_places_change_and_hits_count_as_original(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = built(tokenizer, mask_probability=0.5), tokens()
    seen: dict[str, Any] = {}
    model.model.register_forward_pre_hook(lambda m, a, k: seen.update(k), with_kwargs=True)
    output = model.step(batch, "val")["discriminator"]
    _, chosen, _ = model.mask(model.rows(batch), "val")
    changed = seen["input_ids"] != batch["input_ids"]
    assert not changed[~chosen].any()
    real = batch["attention_mask"].bool()
    assert torch.equal(output.targets, changed.long().masked_fill(~real, -1).flatten())
    assert output.count == real.sum()
    original = batch["input_ids"][chosen]
    monkeypatch.setattr(ReplacedTokenDetection, "draw", lambda self, logits, uniforms: original)
    assert not (model.step(batch, "val")["discriminator"].targets == 1).any()


def test_no_gradient_flows_through_the_draw(tokenizer: Any) -> None:
    model = built(tokenizer, share_embeddings=False)
    model.step(tokens(), "val")["discriminator"].loss.backward()
    assert all(p.grad is None for p in model.generator.parameters())
    assert any(p.grad is not None for p in model.model.parameters())


def test_a_named_generator_brings_its_weights(tokenizer: Any, tmp_path: Path) -> None:
    first = make("MaskedLanguageModeling", "electra", tokenizer)
    first.build()
    first.save_pretrained(tmp_path / "generator")
    model = built(tokenizer, generator=str(tmp_path / "generator"), share_embeddings=False)
    for (name, mine), theirs in zip(model.generator.named_parameters(), first.model.parameters(), strict=True):
        assert torch.equal(mine, theirs), name


def test_values_out_of_range(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="discriminator_weight is 0"):
        built(tokenizer, discriminator_weight=0)


def test_heads_that_do_not_divide_the_width(tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"hidden_size \(13\) is no multiple of its num_attention_heads \(2\)"):
        built(tokenizer, generator={"hidden_size": 13})
