"""LightningModules for pretraining objectives and downstream tasks."""

from .backbone import Backbone
from .base import BaseModule, Output
from .objectives.masked import MaskedLanguageModeling
from .tasks.classification import TextClassification

__all__ = ["Backbone", "BaseModule", "MaskedLanguageModeling", "Output", "TextClassification"]
