"""What Lightning does not have."""

from .checkpoints import AtomicCheckpointIO, LastCheckpoint
from .early_stopping import EarlyStopping
from .export import ExportBest
from .predictions import PredictionWriter
from .progress_bar import RunProgressBar
from .report import RunReport
from .throughput import Throughput

__all__ = [
    "AtomicCheckpointIO",
    "EarlyStopping",
    "ExportBest",
    "LastCheckpoint",
    "PredictionWriter",
    "RunProgressBar",
    "RunReport",
    "Throughput",
]
