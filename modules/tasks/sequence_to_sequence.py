"""Sequence to sequence: summaries, translations (T5, arXiv 1910.10683; BART, arXiv 1910.13461; GPT-2, 2019)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...contracts import IGNORED, DataFacts, RowWork, ShownRow, data_facts, is_defined, known_targets
from ...errors import InputError
from ..backbone.architecture import config_from_json
from ..backbone.backbone import Backbone
from ..backbone.families import EXAMPLES, TRAINS, family
from ..backbone.positions import max_positions
from ..base import Output
from ..batches.showing import shown_rows, shown_texts
from ..batches.targets import after, before
from ..hosted import one_loader
from ..metrics.directions import Direction
from ..metrics.text_scores import NAMES, BleuTokenizer, bleu_tokenizer, text_scores
from ..objectives.masked import recovered
from ..shortcuts.sparse_head import only_inputs
from .generation import GeneratingModule

SPLITS = {"val": "validation", "test": "test"}


class SequenceToSequence(GeneratingModule):
    """Sequence to sequence: a text becomes another one, by an encoder-decoder (T5, BART) or a decoder.

    Batch: `input_ids` and `attention_mask` (rows, length) int64, and `labels`, int64, -100 where there is no target.
    For an encoder-decoder labels are (rows, target length), the target as it is to be written, its end included. For a
    decoder they are (rows, length): source and target stand in one row, and labels repeat the tokens of the target.
    `example` (rows,) int64 names the rows whose texts a datamodule's `references` has; without it, scores go by the
    decoded labels.

    Logs `loss`, `perplexity` and `accuracy` per target token. In test, and in validation with
    `generate_in_validation`, targets are written by beam search and scored: `rouge1`, `rouge2`, `rougeL`, `rougeLsum`
    (F1, stemmed, by `rouge-score`) and `exact_match` from 0 to 1; `bleu` and `chrf` from 0 to 100, of the whole set, as
    `sacrebleu` has them. White space at either end plays no part.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        generation: options of Hugging Face's `generate` in predict, test and validation; 4 beams and 128 new tokens
            unless you say otherwise. `forced_bos_token_id` and `decoder_start_token_id` also take a token, such as
            mBART's `de_DE`.
        generate_in_validation: score what is written after each epoch, too; it takes long.
        bleu_tokenizer: of sacrebleu; null means `zh` for Chinese targets, `char` for Japanese, `13a` for others.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if the backbone cannot write, or `generation` holds an unknown option.
    """

    auto_class = "AutoModelForSeq2SeqLM"
    batch_keys = ("input_ids", "attention_mask", "labels")
    learns_from = "labels"
    datamodules = ("SequenceToSequenceDataModule",)

    def __init__(
        self,
        backbone: str | Backbone,
        generation: dict[str, Any] | None = None,
        generate_in_validation: bool = False,
        bleu_tokenizer: BleuTokenizer | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, {"num_beams": 4, "max_new_tokens": 128, **(generation or {})}, **optimization)
        self.generate_in_validation = generate_in_validation
        self.scores_all_before_training = not generate_in_validation  # it takes too long
        if generate_in_validation:
            self.validation_cost = 8.0  # writing a text takes a pass for each of its tokens
        self.bleu_tokenizer = bleu_tokenizer
        self.text_scores = nn.ModuleDict()

    # ------------------------------------------------------------------ building

    def directions(self) -> dict[str, Direction]:
        """Return those of the base, and those of the scores of what is written, where it is."""
        stages = ("val", "test") if self.generate_in_validation else ("test",)
        return super().directions() | {f"{stage}/{name}": "max" for stage in stages for name in NAMES}

    @property
    def one_row(self) -> bool:  # type: ignore[override]
        """Whether source and target stand in one row; what a datamodule asks."""
        stored = self.stored
        config = config_from_json(stored.config) if stored else self.backbone.load_config(self.tokenizer)
        return family(config) == "decoder"

    def check_backbone(self, config: Any) -> None:
        """Refuse what cannot write, and choose the head."""
        kind = family(config)
        if kind not in ("decoder", "encoder-decoder"):
            raise InputError(
                f"SequenceToSequence needs an encoder-decoder or a decoder ({EXAMPLES['encoder-decoder']} or "
                f"{EXAMPLES['decoder']} would work), but {self.backbone.label} is a {config.model_type}, "
                f"{TRAINS[kind]}."
            )
        self.auto_class = "AutoModelForCausalLM" if kind == "decoder" else "AutoModelForSeq2SeqLM"

    def check_length(self) -> None:
        """Refuse targets that the positions do not suffice for, too."""
        super().check_length()
        data, limit = data_facts(self.datamodule), self.input_limit()
        target = data.longest_target
        if target is None or limit is None:
            return
        total = target + ((data.longest or 0) if self.one_row else 0)
        if total > limit:
            length = f"{total - target} + {target}" if self.one_row else f"{target}"
            option = "data.max_length + data.max_target_length" if self.one_row else "data.max_target_length"
            raise InputError(f"{option} is {length}, but {self.backbone.label} takes at most {limit} tokens: lower it.")

    def finish(self) -> None:
        """Tell an encoder-decoder how a target begins."""
        super().finish()
        config = self.model.config
        if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
            config.decoder_start_token_id = self._pad_id()
        if config.is_encoder_decoder and self.model.generation_config.decoder_start_token_id is None:
            self.model.generation_config.decoder_start_token_id = config.decoder_start_token_id

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for a source and a target, which a decoder reads in one row."""
        limit = max_positions(config) or length + (data.longest_target or length)
        target = min(data.longest_target or length, limit)
        if family(config) == "decoder":
            return RowWork(min(length + target, limit), predicted=target)
        return RowWork(length, target, predicted=target)

    # ------------------------------------------------------------------ steps

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Return the cross entropy of target tokens; the output projection computes those only."""
        labels = batch["labels"]
        asked = labels
        inputs = self.network_inputs(batch)
        if self.model.config.is_encoder_decoder:
            inputs["decoder_input_ids"] = self.model.prepare_decoder_input_ids_from_labels(labels)
        else:
            asked = foretold(labels)
        targets = self.targets(asked != IGNORED, known_targets(batch))
        with only_inputs(self.model.get_output_embeddings(), targets.places):
            logits = self.model(**inputs).logits
        return recovered(logits, targets.of(asked), **self.loss_options(stage))

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return sources with their targets, in two texts or in one row."""
        if stage == "predict":
            return super().shown(batch, stage)
        ids, labels, real = batch["input_ids"], batch["labels"], batch["attention_mask"].bool()
        if self.one_row:
            learned = after(foretold(labels) != IGNORED)
            return shown_rows(shown_texts(ids, real, self.tokenizer, learned=learned, ignored=real & ~learned), batch)
        asked = labels != IGNORED
        sources = shown_texts(ids, real, self.tokenizer, name="read", read_only=True)
        targets = shown_texts(labels, asked, self.tokenizer, learned=asked, name="to write")
        return [ShownRow(list(texts)) for texts in zip(sources, targets, strict=True)]

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> dict[str, Output]:
        """Return the outputs, and measure them; write, if wanted."""
        outputs = super().validation_step(batch, batch_idx, dataloader_idx)
        if self.generate_in_validation and not (self.has_trainer and self.trainer.sanity_checking):
            self._score(batch, "val", dataloader_idx)
        return outputs

    def test_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> dict[str, Output]:
        """Return the outputs, measure them, and write."""
        outputs = super().test_step(batch, batch_idx, dataloader_idx)
        self._score(batch, "test", dataloader_idx)
        return outputs

    def _score(self, batch: dict[str, Tensor], stage: str, loader: int) -> None:
        if loader:
            one_loader(self)
        written, wanted = self.write(*self._sources(batch)), self._references(batch, stage)
        if stage not in self.text_scores:
            self.text_scores[stage] = text_scores(self._bleu_tokenizer(stage)).to(self.device)
        scores: Any = self.text_scores[stage]
        scores.update(written, wanted)

    def _sources(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return what is read before writing, and its mask."""
        ids, mask = batch["input_ids"], batch["attention_mask"]
        if "labels" in batch and not self.model.config.is_encoder_decoder:
            mask = mask * ((batch["labels"] != IGNORED).cumsum(1) == 0)
        return ids, mask

    def _references(self, batch: dict[str, Tensor], stage: str) -> list[str]:
        """Return the target texts; exactly, where a datamodule has them."""
        if "example" in batch:
            known = data_facts(self.datamodule).references(SPLITS[stage], batch["example"].tolist())
            if known is not None:
                return list(known)
        labels = batch["labels"].masked_fill(batch["labels"] == IGNORED, self._pad_id())
        return [text.strip() for text in self.tokenizer.batch_decode(labels, skip_special_tokens=True)]

    def _bleu_tokenizer(self, stage: str) -> BleuTokenizer:
        if self.bleu_tokenizer is not None:
            return self.bleu_tokenizer
        data = data_facts(self.datamodule)
        if not is_defined(data, DataFacts.references):
            return "13a"
        count = min(100, len(data.examples(SPLITS[stage])))  # the same in every process
        return bleu_tokenizer(data.references(SPLITS[stage], range(count)) or [])

    def on_validation_epoch_end(self) -> None:
        """Log the scores of what was written."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of what was written."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        if stage in self.text_scores:
            scores: Any = self.text_scores[stage]
            self.log_dict({f"{stage}/{name}": value for name, value in scores.compute().items()})
            scores.reset()

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return what is written for each source."""
        return [{"prediction": text} for text in self.write(*self._sources(batch))]


def foretold(labels: Tensor) -> Tensor:
    """Return (rows, length) what is predicted at each place of a decoder's row: the label of the next one."""
    return before(labels).masked_fill(~before(labels != IGNORED), IGNORED)
