"""The options of a run that Lightning does not have.

One configuration serves `fit`, `test` and `predict`, so that each of them takes the options of the others; which of
them a verb's help shows first stands in the table of verbs.
"""

from __future__ import annotations

from typing import Any, Literal

from lightning.pytorch.cli import LightningArgumentParser

from ..modules.cards.options import CardOptions
from .options import CheckpointOptions, EarlyStoppingOptions, PaceOptions
from .recipes import names


def add_run_options(parser: LightningArgumentParser) -> None:
    """Declare the options of a run.

    Args:
        parser: of one verb.
    """
    parser.add_argument(
        "--name", type=str | None, default=None, help="Of the run: runs/NAME/version_N. Null: the config's."
    )
    parser.add_argument(
        "--early_stopping",
        type=EarlyStoppingOptions | None,
        default=EarlyStoppingOptions(),
        help="When to stop early: early_stopping.patience and others (early_stopping.help); null switches it off.",
    )
    parser.add_argument(
        "--recipe",
        type=str | None,
        default=None,
        help=f"Sets of options to start from ({', '.join(names())}); what you write yourself overrides them.",
    )
    parser.add_argument(
        "--seeds",
        type=str | int | list[int] | None,
        default=None,
        help="Of fit: 1,2,3 trains each, and tells their mean and spread.",
    )
    parser.add_argument(
        "--stop_after",
        type=str | int | None,
        default=None,
        help="90m, 1h30m, 01:30:00 or seconds: then saves, says how to go on, and ends with code 143.",
    )
    parser.add_argument(
        "--logger",
        type=str | dict[str, Any] | list[str | dict[str, Any]] | None,
        default=None,
        help="Shows runs to wandb, mlflow, comet or aim, too; {name: wandb, project: mine}, or a list.",
    )
    parser.add_argument(
        "--untrained", type=bool, default=False, help="Score or predict with weights that were never trained."
    )
    parser.add_argument("--pace", type=PaceOptions, default=PaceOptions())
    parser.add_argument("--checkpoint", type=CheckpointOptions, default=CheckpointOptions())
    parser.add_argument(
        "--export_check",
        type=bool,
        default=True,
        help="Read the export back by its own library, and compare it with what was trained.",
    )
    parser.add_argument(
        "--card",
        type=CardOptions | None,
        default=CardOptions(),
        help="Of the model card: card.license, card.language and card.examples (card.help).",
    )
    parser.add_argument("--predictions", type=Literal["jsonl", "csv"], default="jsonl", help="Format of predict.")
    parser.add_argument(
        "--predictions_file",
        type=str | None,
        default=None,
        help="Of predict: this file (.jsonl or .csv) instead of the next free one of the run.",
    )
    parser.add_argument(
        "--predictions_top",
        type=int | None,
        default=None,
        help="Of predict: so many of a row's probabilities, the highest. Null: all of up to 100, else 20.",
    )
    parser.add_argument(
        "--top_k",
        type=int | None,
        default=None,
        help="Of predict: so many of the likeliest labels with their probabilities, instead of all.",
    )
    parser.add_argument(
        "--threshold",
        type=float | None,
        default=None,
        help="Of predict: how probable a label must be to be given; of answers to questions, their null threshold.",
    )
