"""Why a model could not be loaded, in a sentence or two."""

from __future__ import annotations

from pathlib import Path

from ...errors import first_line
from ...text.hub_access import explain

NO_SAFETENSORS = "cannot be loaded with `safetensors`"
"""What transformers says where there are no such weights."""


def why_not(place: Path | str, revision: str | None, error: Exception) -> str:
    """Return what an error means to whoever named a model, and what would work.

    Args:
        place: of `locate`: a path, or a hub id.
        revision: of a hub model.
        error: of whatever loaded it.
    """
    if isinstance(place, str) and (of_hub := explain(error, place, revision)) is not None:
        return of_hub
    if NO_SAFETENSORS in str(error):
        return (
            "there are none in the format safetensors, and others, which can hold code, are not read. Where somebody "
            "has proposed them on the model's page, model.backbone.revision: refs/pr/NUMBER reads that; a folder that "
            "transformers' save_pretrained has written holds them, too."
        )
    return first_line(error)
