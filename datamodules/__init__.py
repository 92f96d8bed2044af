"""LightningDataModules for corpora and labeled sets."""

from ..text.cleaning import Cleaning
from ..text.selection.options import Selection
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .corpus import CorpusDataModule
from .corpus_source import CorpusSource
from .instructions import InstructionDataModule
from .labeled import LabeledDataModule, LabelledDataModule
from .multiple_choice import MultipleChoiceDataModule
from .question_answering import QuestionAnsweringDataModule
from .sentence_pairs import SentencePairDataModule
from .sequence_to_sequence import SequenceToSequenceDataModule
from .text_classification import TextClassificationDataModule
from .token_classification import TokenClassificationDataModule

__all__ = [
    "BaseDataModule",
    "Cleaning",
    "CorpusDataModule",
    "CorpusSource",
    "InstructionDataModule",
    "LabeledDataModule",
    "LabelledDataModule",
    "MultipleChoiceDataModule",
    "QuestionAnsweringDataModule",
    "Selection",
    "SentencePairDataModule",
    "SequenceToSequenceDataModule",
    "TextClassificationDataModule",
    "TokenClassificationDataModule",
    "TrainTokenizer",
]
