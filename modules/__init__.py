"""LightningModules for pretraining objectives and downstream tasks."""

from .backbone.backbone import Backbone
from .base import BaseModule, Output
from .objectives.causal import CausalLanguageModeling
from .objectives.masked import MaskedLanguageModeling
from .objectives.next_sentence import NextSentencePrediction
from .objectives.replaced_token import ReplacedTokenDetection
from .objectives.sentence_order import SentenceOrderPrediction
from .objectives.span_denoising import SpanDenoising
from .tasks.instructions import InstructionTuning
from .tasks.multiple_choice import MultipleChoice
from .tasks.question_answering import QuestionAnswering
from .tasks.sequence_to_sequence import SequenceToSequence
from .tasks.text_classification import TextClassification
from .tasks.token_classification import TokenClassification

__all__ = [
    "Backbone",
    "BaseModule",
    "CausalLanguageModeling",
    "InstructionTuning",
    "MaskedLanguageModeling",
    "MultipleChoice",
    "NextSentencePrediction",
    "Output",
    "QuestionAnswering",
    "ReplacedTokenDetection",
    "SentenceOrderPrediction",
    "SequenceToSequence",
    "SpanDenoising",
    "TextClassification",
    "TokenClassification",
]
