"""What is looked at is what training would read; for every objective and task, without weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from test_combinations import BACKBONES, OBJECTIVES  # type: ignore[import-not-found]
from test_configs import own_files
from tests_support import capitalized, sentence
from torch.utils.data import DataLoader

from pretune import datamodules, modules
from pretune.cli.inspecting import Inspection, look
from pretune.cli.inspecting.inspection import DecodedRow
from pretune.errors import InputError

KIND = {"encoder": "bert", "decoder": "gpt2", "encoder-decoder": "t5"}
SOURCES: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{name: (KIND[family], "CorpusDataModule", {"train_files": "domain.txt", "block_size": 24})
       for name, (_, family) in OBJECTIVES.items()},
    "TextClassification": ("bert", "TextClassificationDataModule", {"train_files": "reviews.csv"}),
    "TokenClassification": ("bert", "TokenClassificationDataModule", {"train_files": "names.conll"}),
    "QuestionAnswering": ("bert", "QuestionAnsweringDataModule", {"train_files": "questions.json", "max_length": 24,
                                                                 "stride": 4}),
    "MultipleChoice": ("bert", "MultipleChoiceDataModule", {"train_files": "stories.jsonl"}),
    "SequenceToSequence": ("t5", "SequenceToSequenceDataModule", {"train_files": "articles.jsonl"}),
    "InstructionTuning": ("gpt2", "InstructionDataModule", {"train_files": "instructions.jsonl", "packing": True,
                                                            "max_length": 128}),
}  # fmt: skip
for pairs in ("NextSentencePrediction", "SentenceOrderPrediction"):
    SOURCES[pairs] = ("bert", "SentencePairDataModule", {"train_files": "stories.txt", "max_length": 32})


@pytest.fixture(autouse=True)
def _files(reviews: Path) -> None:
    for name, text in own_files().items():
        Path(name).write_text(text)
    Path("stories.txt").write_text("\n\n".join(" ".join(capitalized(7 * i + j) for j in range(3)) for i in range(90)))


def make(name: str, folder: Path, **options: Any) -> tuple[Any, Any]:
    backbone, kind, where = SOURCES[name]
    config = {"model_type": backbone, **BACKBONES[backbone][1]}
    data = getattr(datamodules, kind)(**{"tokenizer": str(folder), "batch_size": 4, **where, **options})
    return getattr(modules, name)(modules.Backbone(config=config, dropout=0.0)), data


def words(row: DecodedRow, *roles: str) -> list[str]:
    return [token.text.strip() for text in row.texts for token in text.tokens if token.role in roles]


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("name", SOURCES)
def test_every_objective_and_task(name: str, split: Any, tokenizer_folder: Path) -> None:
    model, data = make(name, tokenizer_folder)
    seen = look(model, data, split, rows=3)
    assert model.model is None
    assert not list(model.parameters(recurse=False))
    assert len(seen.rows) == 3
    assert {"train", "validation"} <= set(seen.surveys)
    survey = seen.surveys[split]
    assert survey.rows > 0
    assert len(survey.lengths) == survey.rows
    assert seen.batch.size == sum(_bytes(shape, dtype) for _, shape, dtype in seen.batch.tensors)
    assert seen.batch.tokens is not None
    known = {"label", "answer", "pair"} & {fact for row in seen.rows for fact in row.facts}
    assert known or all(row.targets for row in seen.rows)
    assert seen.to_html().count('<section class="row"') == 3


def _bytes(shape: str, dtype: str) -> int:
    count = 1
    for size in shape.split(" x "):
        count *= int(size)
    return count * torch.zeros((), dtype=getattr(torch, dtype)).element_size()


@pytest.mark.parametrize("packing", [False, True])
def test_masks_are_those_of_the_first_step(
    packing: bool, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"packing": packing}
    seed_everything(3)
    seen = look(*make("MaskedLanguageModeling", tokenizer_folder, **options), rows=3)
    drawn: list[Any] = []
    plain = modules.MaskedLanguageModeling.mask

    def mask(self: Any, rows: Any, stage: str) -> Any:
        found = plain(self, rows, stage)
        if stage == "train":
            drawn.append((found[0], found[1]))
        return found

    monkeypatch.setattr(modules.MaskedLanguageModeling, "mask", mask)
    seed_everything(3)
    model, data = make("MaskedLanguageModeling", tokenizer_folder, **options)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    Trainer(accelerator="cpu", max_steps=1, limit_val_batches=0, logger=False, **quiet).fit(model, data)
    ids, chosen = drawn[0]
    for row, trained, targets in zip(seen.rows, ids.tolist(), chosen.tolist(), strict=False):
        assert [token.number for token in row.texts[0].tokens] == trained[: row.length]
        assert row.targets == sum(targets)


def test_labels_where_rows_are_from_and_windows(tokenizer_folder: Path) -> None:
    model, data = make("TextClassification", tokenizer_folder, max_length=8)
    row = look(model, data, "validation", rows=1).rows[0]
    line = Path("reviews.csv").read_text().splitlines()[int(row.facts["from"].rpartition(":")[2]) - 1]
    assert row.facts["label"] == line.rpartition(",")[2]
    assert row.facts["truncated"] == "to 8 tokens"

    model, data = make("QuestionAnswering", tokenizer_folder, max_length=20)
    seen = look(model, data, rows=20)
    windows = [row.facts["window"] for row in seen.rows if "window" in row.facts]
    assert windows
    assert all(window.endswith(("of 2", "of 3")) for window in windows)
    assert {row.facts["answer"] for row in seen.rows} == {"marked", "none in this window"}
    for row in seen.rows:
        (text,) = row.texts
        pieces = [token.text.strip() for token in text.tokens]
        (span,) = text.spans
        if row.facts["answer"] == "marked" and row.facts.get("window", "1 of").startswith("1 of"):
            assert span.first == pieces.index("[SEP]") + 3  # the third word of the context
        elif row.facts["answer"] != "marked":
            assert pieces[span.first : span.last] == ["[CLS]"]


def text_of(row: DecodedRow) -> str:
    return " ".join(token.text.strip() for text in row.texts for token in text.tokens)


def test_entities_are_marked(tokenizer_folder: Path) -> None:
    model, data = make("TokenClassification", tokenizer_folder)
    seen = look(model, data, rows=36)
    marked = {
        "".join(token.text for token in text.tokens[span.first : span.last]).strip(): span.label
        for row in seen.rows
        for text in row.texts
        for span in text.spans
    }
    assert marked
    assert set(marked) <= {"film", "book"}
    assert set(marked.values()) == {"ART"}
    tags = [line.split()[1] for line in Path("names.conll").read_text().splitlines() if line]
    both = [seen.surveys[split].labels for split in ("train", "validation")]
    assert sum(labels["B-ART"] for labels in both) == tags.count("B-ART")


def test_a_chat_template_as_it_is_rendered(tokenizer_folder: Path) -> None:
    model, data = make("InstructionTuning", tokenizer_folder, packing=False)
    data.chat_template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    row = look(model, data, rows=1).rows[0]
    asked, answered = words(row, "ignored", "special"), words(row, "learned")
    assert answered
    rows = [json.loads(line) for line in Path("instructions.jsonl").read_text().splitlines()]
    assert "".join(answered).endswith(tuple("".join(r["output"].split()) for r in rows))
    assert "".join(asked).startswith("[") or "[UNK]" in asked


def test_duplicates_and_leaks(tokenizer_folder: Path) -> None:
    rows = [f"{sentence(i)},{i % 2}" for i in range(20)]
    Path("train.csv").write_text("text,label\n" + "\n".join([*rows, rows[0], rows[1]]) + "\n")
    Path("held.csv").write_text("text,label\n" + "\n".join([sentence(30, 5) + ",1", rows[3], rows[4]]) + "\n")
    model, _ = make("TextClassification", tokenizer_folder)
    data = datamodules.TextClassificationDataModule(
        "train.csv", validation_files="held.csv", test_files="train.csv", tokenizer=str(tokenizer_folder)
    )
    with pytest.warns(UserWarning, match="are also in train"):
        seen = look(model, data)
    train, held = seen.surveys["train"], seen.surveys["validation"]
    assert [(s.split, s.count, s.first) for s in train.shared] == [
        ("train", 2, "train.csv:22"), ("validation", 2, "train.csv:5"),
    ]  # fmt: skip
    assert [(s.split, s.count, s.first) for s in held.shared] == [("train", 2, "held.csv:3")]
    assert train.labels == {"0": 11, "1": 11}
    with pytest.warns(UserWarning, match="are also in train"):
        test = look(make("TextClassification", tokenizer_folder)[0], data, "test").surveys["test"]
    assert ("train", 22) in [(s.split, s.count) for s in test.shared]


def test_a_large_split_is_sampled(tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretune.datamodules.surveying.MOST_ROWS", 64)
    monkeypatch.setattr("pretune.datamodules.surveying.MOST_PIECES", 64)
    for name in ("MaskedLanguageModeling", "NextSentencePrediction", "TextClassification"):
        model, data = make(name, tokenizer_folder)
        survey = look(model, data, rows=1).surveys["train"]
        assert survey.is_sample
        assert len(survey.lengths) == 64
        assert survey.rows > 64


def test_what_is_to_be_predicted(tokenizer_folder: Path) -> None:
    model, data = make("TextClassification", tokenizer_folder, predict_texts=["a good film", "a bad book"])
    model.labels = ["negative", "positive"]
    seen = look(model, data, "predict")
    assert sorted(words(seen.rows[0], "read")) == ["a", "film", "good"]
    assert seen.rows[0].facts == {"from": "data.predict_texts[0]"}
    assert not any(row.targets for row in seen.rows)


def test_data_alone_and_modules_of_somebody_else(tokenizer_folder: Path) -> None:
    _, data = make("MaskedLanguageModeling", tokenizer_folder)
    seen = look(data=data, rows=2)
    assert seen.title == "train: CorpusDataModule"
    assert {token.role for row in seen.rows for text in row.texts for token in text.tokens} == {"read", "special"}

    class Foreign(LightningModule):
        def train_dataloader(self) -> Any:
            return DataLoader([{"input_ids": torch.tensor([5, 6, 7])}, {"input_ids": torch.tensor([8, 9, 5])}],
                              batch_size=2)  # type: ignore[arg-type]  # fmt: skip

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            raise AssertionError

        def configure_optimizers(self) -> Any:
            return None

    seen = look(Foreign())
    assert [text_of(row) for row in seen.rows] == ["5 6 7", "8 9 5"]
    assert seen.surveys == {}

    class Pixels(Foreign):
        def train_dataloader(self) -> Any:
            return DataLoader([{"pixels": torch.ones(2)}] * 3, batch_size=3)  # type: ignore[arg-type]

    seen = look(Pixels())
    assert not seen.rows
    assert "no `input_ids`" in seen.remarks[0]
    assert seen.batch.tensors == [("pixels", "3 x 2", "float32")]


def test_what_cannot_be_looked_at(tokenizer_folder: Path) -> None:
    model, data = make("TextClassification", tokenizer_folder)
    with pytest.raises(InputError, match="split is 'dev'; there are: train, validation"):
        look(model, data, "dev")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rows is 0"):
        look(model, data, rows=0)
    with pytest.raises(InputError, match=r"nothing to test on: set data\.test_files"):
        look(model, data, "test")
    model, data = make("TextClassification", tokenizer_folder, validation_fraction=0)
    with pytest.raises(InputError, match=r"no validation part: set data\.validation_files, or data\.validation_frac"):
        look(model, data, "validation")
    model = make("CausalLanguageModeling", tokenizer_folder)[0]
    with pytest.raises(InputError, match="block_size is 1"):
        look(model, datamodules.CorpusDataModule("domain.txt", tokenizer=str(tokenizer_folder), block_size=1))


def test_a_notebook_shows_it(tokenizer_folder: Path) -> None:
    model, data = make("TextClassification", tokenizer_folder)
    seen = look(model, data, rows=2)
    assert isinstance(seen, Inspection)
    assert seen._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
