"""LightningDataModules for corpora and labelled sets."""

from .base import BaseDataModule
from .classification import TextClassificationDataModule
from .corpus import CorpusDataModule
from .tokenizer_training import TrainTokenizer

__all__ = ["BaseDataModule", "CorpusDataModule", "TextClassificationDataModule", "TrainTokenizer"]
