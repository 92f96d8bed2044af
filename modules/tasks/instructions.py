"""Instruction tuning: a decoder learns to answer (InstructGPT's first stage, arXiv 2203.02155; Alpaca, 2023)."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from ...contracts import IGNORED, DataFacts, RowWork, ShownRow, known_targets
from ...errors import InputError
from ...text.chat import ChatFormat
from ..backbone.backbone import Backbone
from ..backbone.families import EXAMPLES, TRAINS, family
from ..base import Output
from ..batches.padded_rows import PaddedRows
from ..batches.showing import shown_rows, shown_texts
from ..batches.targets import after, before
from ..objectives.causal import refuse_single_tokens
from ..objectives.masked import recovered
from ..shortcuts.packed_attention import can_pack
from ..shortcuts.sparse_head import only_inputs
from .generation import GeneratingModule

ANSWER = "an answer of nothing else"


class InstructionTuning(GeneratingModule):
    """Instruction tuning: the answers in conversations are learned, and prompts are answered.

    Batch: `input_ids`, `attention_mask` and `labels` (rows, length) int64; labels are the tokens themselves on answers,
    the token that ends a turn included, and -100 elsewhere. Or packed: `input_ids`, `position_ids` and `labels`
    (1, tokens) int64 with `cu_seq_lens` (conversations + 1,) int32: a conversation sees itself only.

    Logs `loss`, `perplexity` and `accuracy` per token of the answers.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        generation: options of Hugging Face's `generate` for `predict`, such as `{max_new_tokens: 512, do_sample: true,
            temperature: 0.7}`; the likeliest token and at most 256 unless you say otherwise. What is written ends with
            the turn, at the end of text, or where the backbone has no positions left.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if the backbone is no decoder, or `generation` holds an unknown option.
    """

    auto_class = "AutoModelForCausalLM"
    batch_keys = ("input_ids", "labels")
    learns_from = "labels"
    datamodules = ("InstructionDataModule",)

    def __init__(self, backbone: str | Backbone, generation: dict[str, Any] | None = None, **optimization: Any) -> None:
        super().__init__(backbone, {"max_new_tokens": 256, "do_sample": False, **(generation or {})}, **optimization)

    def check_backbone(self, config: Any) -> None:
        """Refuse what does not go on writing after a prompt."""
        kind = family(config)
        if kind != "decoder":
            raise InputError(
                f"InstructionTuning needs a decoder ({EXAMPLES['decoder']} would work), but {self.backbone.label} is "
                f"a {config.model_type}, {TRAINS[kind]}."
            )

    def stop_ids(self) -> list[int]:
        """Return the tokens that end any text, and the one that ends a turn in the tokenizer's chat template."""
        end = self._end_of_turn()
        return list(dict.fromkeys([*([] if end is None else [end]), *super().stop_ids()]))

    def _end_of_turn(self) -> int | None:
        if not self.tokenizer.chat_template:
            return None
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": ANSWER}]
        try:
            text = ChatFormat(self.tokenizer, None).render("The tokenizer", messages)
        except InputError as error:  # one that wants a system message, say
            rank_zero_warn(f"Which token ends an answer is not known, but for the end of the text. {error}")
            return None
        after = self.tokenizer(text.rpartition(ANSWER)[2].lstrip(), add_special_tokens=False)["input_ids"]
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.get_added_vocab().values()}
        return int(after[0]) if after and after[0] in special else None

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the most work that a row may be: an answer from its second token on."""
        refuse_single_tokens(data.length_option or "max_length", length)
        return RowWork(length, predicted=length - 1)

    def followed(self, labels: Tensor) -> Tensor:
        """Return (rows, length), boolean: after which tokens one of an answer is predicted."""
        return before(labels != IGNORED)

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return conversations of which the answers are learned."""
        if stage == "predict":
            return super().shown(batch, stage)
        rows = PaddedRows(batch, self._pad_id())
        learned = after(self.followed(rows.of("labels", IGNORED)))
        texts = shown_texts(rows.ids, rows.real, self.tokenizer, learned=learned, ignored=rows.real & ~learned)
        return shown_rows(texts, batch)

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Run the body on all tokens, and the head on those that a token of an answer follows."""
        rows = PaddedRows(batch, self._pad_id(), packed=can_pack(self.model))
        labels = rows.of("labels", IGNORED)
        targets = self.targets(self.followed(labels), known_targets(batch))
        with only_inputs(self.model.get_output_embeddings(), rows.places(targets)):
            logits = self.model(**self.network_inputs(rows.inputs(rows.ids))).logits
        return recovered(logits, targets.of(before(labels)), **self.loss_options(stage))

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return the answer to each prompt."""
        return [{"prediction": text} for text in self.write(batch["input_ids"], batch["attention_mask"])]
