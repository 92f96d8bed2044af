"""What a command says when a disk is full: which file, what is saved, and what works once there is room."""

from __future__ import annotations

from ..storage.disk import disk_full, full_file
from .run_folder import RunFolder


def full_disk_message(error: BaseException, verb: str, run: RunFolder) -> str | None:
    """Return what to say of an error; None where no full disk is behind it.

    Only training goes on from `last`. Evaluation would take other weights by it, and begins anew; predictions go on
    by themselves.

    Args:
        error: that ended the command.
        verb: `fit`, `validate`, `test` or `predict`.
        run: that it writes to.
    """
    if (full := disk_full(error)) is None:
        return None
    full = full.rstrip(".")
    if verb != "fit":
        place = "" if full_file(error) else f" (writing to {run.folder})"
        goes_on = "the same command goes on" if verb == "predict" else "the same command"
        return f"{full}{place}. Make room, then {goes_on}."
    cure = "the same command with --ckpt_path last goes on" if run.can_go_on() else "begin anew"
    return f"{full} (writing to {run.folder}; {run.saved()}). Make room, then {cure}."
