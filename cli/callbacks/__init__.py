"""What the command line switches on by itself."""

from .best import BestCheckpoint
from .checkpoints import AtomicCheckpointIO, LastCheckpoint
from .curves import LearningCurves
from .early_stopping import EarlyStopping
from .export import ExportBest
from .orderly_stop import OrderlyStop
from .overfitting import OverfittingWarnings
from .pace import Pace
from .predictions import PredictionWriter
from .progress_bar import RunProgressBar
from .report import RunReport
from .report_page import ReportPage
from .run_card import RunCard
from .step_times import StepTimes
from .tested_rows import TestedRows
from .throughput import Throughput
from .token_losses import TokenLosses
from .untrained import RefuseUntrained

__all__ = [
    "AtomicCheckpointIO",
    "BestCheckpoint",
    "EarlyStopping",
    "ExportBest",
    "LastCheckpoint",
    "LearningCurves",
    "OrderlyStop",
    "OverfittingWarnings",
    "Pace",
    "PredictionWriter",
    "RefuseUntrained",
    "ReportPage",
    "RunCard",
    "RunProgressBar",
    "RunReport",
    "StepTimes",
    "TestedRows",
    "Throughput",
    "TokenLosses",
]
