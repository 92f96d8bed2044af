"""The trials of a search, kept in a file: what is done is not done again, and what was interrupted is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import InputError

INTERRUPTED = "interrupted"


def open_study(root: Path, search: dict[str, Any], seed: int) -> Any:
    """Return the study in a folder, or a new one where no trial of it came to an end.

    Args:
        root: the folder.
        search: what is searched and with which options, as JSON has it.
        seed: of the sampler.

    Raises:
        InputError: if its trials were of another search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options: dict[str, Any] = {"storage": f"sqlite:///{root / 'study.db'}", "study_name": "search"}

    def create() -> Any:
        return optuna.create_study(
            **options,
            load_if_exists=True,
            direction="maximize",  # of the score, or of minus the loss
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )

    study = create()
    known = study.user_attrs.get("search")
    if known is not None and known != search:
        if ended(study):
            changed = [key for key in search if known.get(key) != search[key]]
            raise InputError(
                f"The search in {root} was made with other {' and '.join(changed)}, and its trials do not compare: "
                "give another --name, or remove the folder."
            )
        optuna.delete_study(**options)
        study = create()
    study.set_user_attr("search", search)
    return study


def ended(study: Any) -> list[Any]:
    """Return the trials that count: all but the interrupted."""
    interrupted = study.user_attrs.get(INTERRUPTED, [])
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in interrupted]


def try_interrupted_again(study: Any) -> None:
    """Put trials at the head of the queue that a killed process left behind."""
    import optuna

    for left in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.set_user_attr(INTERRUPTED, [*study.user_attrs.get(INTERRUPTED, []), left.number])
        study.tell(left.number, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(left.params)
