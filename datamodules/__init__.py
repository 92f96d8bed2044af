"""LightningDataModules for corpora and labelled sets."""

from .base import BaseDataModule
from .classification import TextClassificationDataModule
from .cleaning import Cleaning
from .corpus import CorpusDataModule, CorpusSource
from .labelled import LabelledDataModule
from .multiple_choice import MultipleChoiceDataModule
from .sentence_pairs import SentencePairDataModule
from .tokenizer_training import TrainTokenizer

__all__ = [
    "BaseDataModule",
    "Cleaning",
    "CorpusDataModule",
    "CorpusSource",
    "LabelledDataModule",
    "MultipleChoiceDataModule",
    "SentencePairDataModule",
    "TextClassificationDataModule",
    "TrainTokenizer",
]
