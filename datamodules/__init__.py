"""LightningDataModules for corpora and labelled sets."""

from .base import BaseDataModule
from .classification import TextClassificationDataModule
from .cleaning import Cleaning
from .corpus import CorpusDataModule, CorpusSource
from .sentence_pairs import SentencePairDataModule
from .tokenizer_training import TrainTokenizer

__all__ = [
    "BaseDataModule",
    "Cleaning",
    "CorpusDataModule",
    "CorpusSource",
    "SentencePairDataModule",
    "TextClassificationDataModule",
    "TrainTokenizer",
]
