from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from test_backbone import SEVEN, config  # type: ignore[import-not-found]

from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling
from pretune.modules.layers.masking import mask_tokens


def make(model_type: str, tokenizer: Any, **options: Any) -> MaskedLanguageModeling:
    torch.manual_seed(0)
    model = MaskedLanguageModeling(Backbone(config=config(model_type), dropout=0.0), **options)
    model.tokenizer = tokenizer
    model.build()
    return model


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(5, 90, (6, 16), generator=torch.Generator().manual_seed(1))
    ids[:, 0] = 2
    mask = torch.ones_like(ids)
    mask[3:, 11:] = 0
    ids[mask == 0] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}


@pytest.mark.parametrize("model_type", SEVEN)
def test_loss_and_gradients_equal_the_dense_head(model_type: str, tokenizer: Any) -> None:
    """The Hugging Face head on every position, with the same corruption, against ours on the masked ones."""
    model, data = make(model_type, tokenizer, mask_probability=0.3), batch()
    output = model.step(data, "val")
    (output.loss / output.count).backward()
    found = {name: p.grad.clone() for name, p in model.model.named_parameters() if p.grad is not None}
    model.model.zero_grad()
    corrupted, chosen = mask_tokens(
        data["input_ids"],
        ~model.is_special[data["input_ids"]] & data["attention_mask"].bool(),
        attention_mask=data["attention_mask"],
        mask_id=tokenizer.mask_token_id,
        ordinary_ids=model.ordinary_ids,
        probability=0.3,
        mask_share=0.8,
        random_share=0.1,
        seed=0,
    )
    labels = data["input_ids"].masked_fill(~chosen, -100)
    plain = model.model(**model.network_inputs({**data, "input_ids": corrupted}), labels=labels)
    torch.testing.assert_close(output.loss / output.count, plain.loss, atol=1e-5, rtol=1e-5)
    assert output.count == chosen.sum()
    plain.loss.backward()
    dense = {name: p.grad for name, p in model.model.named_parameters() if p.grad is not None}
    assert found.keys() == dense.keys()
    for name, gradient in dense.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    logits = model.model(**model.network_inputs({**data, "input_ids": corrupted})).logits[chosen]
    torch.testing.assert_close(
        output.loss, F.cross_entropy(logits, labels[chosen], reduction="sum"), rtol=1e-5, atol=1e-4
    )
    assert output.predictions.mean() == (logits.argmax(-1) == labels[chosen]).float().mean()


@pytest.mark.parametrize("model_type", SEVEN)
def test_one_batch_is_learned_by_heart_and_read_back(model_type: str, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    model, data = make(model_type, tokenizer), batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    first = last = 0.0
    for step in range(150):
        output = model.step(data, "val")  # the same masks each time
        last = float(output.loss.detach() / output.count)
        first = first or last
        optimizer.zero_grad()
        (output.loss / output.count).backward()
        optimizer.step()
        if last < 0.1 * first and step > 5:
            break
    assert last < 0.1 * first
    model.eval()
    model.save_pretrained(tmp_path / "out")
    plain = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    inputs = model.network_inputs(data)
    assert torch.equal(plain(**inputs).logits, model(**inputs).logits)


def test_training_masks_change_with_the_step_and_validation_masks_do_not(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = make("bert", tokenizer), batch()
    step = 0
    monkeypatch.setattr(MaskedLanguageModeling, "global_step", property(lambda self: step))
    first_train, first_val = model.step(data, "train").loss, model.step(data, "val").loss
    step = 1
    assert model.step(data, "train").loss != first_train
    assert model.step(data, "val").loss == first_val


def test_what_has_no_mask_token(tokenizer: Any) -> None:
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="needs a tokenizer with a mask token"):
        make("bert", tokenizer)
