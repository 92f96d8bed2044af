"""Where positions begin and end."""

from __future__ import annotations

from seven_encoders import config  # type: ignore[import-not-found]

from pretune.modules import Backbone
from pretune.modules.backbone.positions import max_positions


def test_positions() -> None:
    assert max_positions(Backbone(config={**config("bert"), "max_position_embeddings": 64}).load_config()) == 64
    assert max_positions(Backbone(config={**config("roberta"), "max_position_embeddings": 66}).load_config()) == 64
    assert max_positions(Backbone(config={"model_type": "t5"}).load_config()) is None
