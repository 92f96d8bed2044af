from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from seven_encoders import config  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling


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


def test_the_probability_moves_with_training(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make("bert", tokenizer, mask_probability=0.6, final_mask_probability=0.2)
    data = {"input_ids": torch.randint(5, 90, (400, 50)), "attention_mask": torch.ones(400, 50, dtype=torch.long)}
    shares = {}
    for progress in (0.0, 0.5, 1.0):
        monkeypatch.setattr(MaskedLanguageModeling, "progress", lambda self, at=progress: at)
        shares[progress] = float(model.step(data, "train").count) / (400 * 50)
        assert float(model.step(data, "val").count) / (400 * 50) == pytest.approx(0.2, abs=0.01)
    assert shares == pytest.approx({0.0: 0.6, 0.5: 0.4, 1.0: 0.2}, abs=0.012)


@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_no_special_token_is_masked_replaced_or_predicted(masking: Any, tokenizer: Any) -> None:
    model = make("bert", tokenizer, mask_probability=0.8, masking=masking, random_share=0.2)
    special = torch.tensor(tokenizer.all_special_ids)
    ids = torch.randint(0, 90, (300, 40))
    data = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "word_ids": torch.arange(40).expand_as(ids).masked_fill(torch.isin(ids, special), -1),
    }
    corrupted, chosen, _ = model.mask(model.rows(data), "val")
    was_special = torch.isin(ids, special)
    assert was_special.sum() > 100
    assert not (chosen & was_special).any()
    assert torch.equal(corrupted[was_special], ids[was_special])
    replaced = chosen & (corrupted != ids) & (corrupted != tokenizer.mask_token_id)
    assert replaced.sum() > 500
    assert not torch.isin(corrupted[replaced], special).any()


def test_words_need_word_ids(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="needs batches with word_ids"):
        make("bert", tokenizer, masking="word").step(batch(), "val")


def test_whole_words_on_the_real_road(corpus: Path, tokenizer_folder: Path, tokenizer: Any) -> None:
    """The datamodule numbers words because the module asks for it, and every word is hidden whole."""
    corpus.write_text(corpus.read_text().replace("film", "filmography").replace("book", "booking"))
    model = MaskedLanguageModeling(Backbone(config=config("bert")), masking="word", mask_probability=0.3)
    data = CorpusDataModule(str(corpus), tokenizer=str(tokenizer_folder), block_size=16, batch_size=8)
    trainer = Trainer(accelerator="cpu", max_steps=2, logger=False, enable_progress_bar=False,
                      enable_checkpointing=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(model, data)
    rows = data.datasets["train"][list(range(8))]
    _, chosen, _ = model.mask(model.rows(rows), "val")
    same = (rows["word_ids"].diff(dim=1) == 0) & (rows["word_ids"][:, 1:] >= 0)
    assert same.any()
    assert torch.equal(chosen[:, 1:][same], chosen[:, :-1][same])


def test_masks_are_filled(tokenizer: Any) -> None:
    """A model that has learned one sentence by heart fills it in, each text by itself."""
    model = make("bert", tokenizer)
    text = tokenizer("the small film ends bright.", return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        ids = text["input_ids"].clone()
        place = torch.randint(1, ids.shape[1] - 1, (1,))
        ids[0, place] = tokenizer.mask_token_id
        loss = torch.nn.functional.cross_entropy(model.model(input_ids=ids).logits[0], text["input_ids"][0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    texts = ["the small [MASK] ends bright.", "the [MASK] film ends [MASK].", "the small film"]
    rows = [torch.tensor(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
    pad = torch.nn.utils.rnn.pad_sequence
    data = {
        "input_ids": pad(rows, batch_first=True),
        "attention_mask": pad([torch.ones_like(row) for row in rows], batch_first=True),
    }
    found = model.predict_step(data, 0)
    assert [row["prediction"] for row in found] == ["the small film ends bright."] * 2 + ["the small film"]
    assert [len(row["masks"]) for row in found] == [1, 2, 0]
    assert next(iter(found[0]["masks"][0])) == "film"
    assert found[0]["masks"][0]["film"] > 0.5


def test_masks_of_a_text_that_is_too_long_are_answered_from_what_is_around_them(tokenizer: Any) -> None:
    model = make("bert", tokenizer).eval()
    limit = model.input_limit()
    assert limit is not None
    room = limit - 2
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 90, (1, 3 * limit), generator=draw)
    places = [0, limit + 3, 2 * limit, 3 * limit - 1]
    ids[0, places] = tokenizer.mask_token_id
    (found,) = model.predict_step({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, 0)
    assert len(found["masks"]) == 4
    for place, words in zip(places, found["masks"], strict=True):
        first = max(0, min(place - room // 2, 3 * limit - room))
        part = ids[:, first : first + room]
        (alone,) = model.predict_step({"input_ids": part, "attention_mask": torch.ones_like(part)}, 0)
        (answer,) = [
            alone["masks"][n] for n, p in enumerate(p for p in places if first <= p < first + room) if p == place
        ]
        assert list(words) == list(answer)
        assert list(words.values()) == pytest.approx(list(answer.values()))
    assert tokenizer.mask_token not in found["prediction"]
    whole = ids[0].tolist()
    for place, words in zip(places, found["masks"], strict=True):
        whole[place] = tokenizer.convert_tokens_to_ids(next(iter(words)))
    assert found["prediction"] == tokenizer.decode(whole, skip_special_tokens=True)


@pytest.mark.parametrize("masking", ["token", "word", "span"])
def test_only_tokens_that_are_chosen_one_by_one_have_a_bound(masking: str, tokenizer: Any) -> None:
    """On a GPU what is above it is not learned, and no bound is known for words, which may be long."""
    model, asked = make("bert", tokenizer, masking=masking), list[int | None]()
    real = model.targets
    model.targets = lambda chosen, most=None: asked.append(most) or real(chosen)  # type: ignore[assignment]
    model.step(batch() | {"word_ids": torch.arange(16).repeat(6, 1) // 2}, "val")
    assert (asked[0] is None) == (masking != "token")
