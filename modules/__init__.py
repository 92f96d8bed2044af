"""LightningModules for pretraining objectives and downstream tasks."""

from .backbone import Backbone
from .base import BaseModule, Output
from .objectives.causal import CausalLanguageModeling
from .objectives.masked import MaskedLanguageModeling
from .objectives.next_sentence import NextSentencePrediction
from .objectives.replaced_token import ReplacedTokenDetection
from .objectives.sentence_order import SentenceOrderPrediction
from .objectives.span_denoising import SpanDenoising
from .tasks.classification import TextClassification
from .tasks.multiple_choice import MultipleChoice

__all__ = [
    "Backbone",
    "BaseModule",
    "CausalLanguageModeling",
    "MaskedLanguageModeling",
    "MultipleChoice",
    "NextSentencePrediction",
    "Output",
    "ReplacedTokenDetection",
    "SentenceOrderPrediction",
    "SpanDenoising",
    "TextClassification",
]
