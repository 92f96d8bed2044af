"""LightningDataModules for corpora and labelled sets."""

from .base import BaseDataModule
from .classification import TextClassificationDataModule
from .cleaning import Cleaning
from .corpus import CorpusDataModule, CorpusSource
from .instructions import InstructionDataModule
from .labelled import LabelledDataModule
from .multiple_choice import MultipleChoiceDataModule
from .question_answering import QuestionAnsweringDataModule
from .sentence_pairs import SentencePairDataModule
from .sequence_to_sequence import SequenceToSequenceDataModule
from .tokenizer_training import TrainTokenizer
from .tokens import TokenClassificationDataModule

__all__ = [
    "BaseDataModule",
    "Cleaning",
    "CorpusDataModule",
    "CorpusSource",
    "InstructionDataModule",
    "LabelledDataModule",
    "MultipleChoiceDataModule",
    "QuestionAnsweringDataModule",
    "SentencePairDataModule",
    "SequenceToSequenceDataModule",
    "TextClassificationDataModule",
    "TokenClassificationDataModule",
    "TrainTokenizer",
]
