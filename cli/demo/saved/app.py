"""A page on which to try this model: `python app.py`."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Serve the page; Gradio's own variables (GRADIO_SERVER_NAME, GRADIO_SERVER_PORT) say where."""
    from page.build import build, look
    from page.view import Side
    from page.views import VIEWS
    from predictor import load

    made = json.loads((HERE / "page.json").read_text(encoding="utf-8"))
    answer = load(str(HERE / "export"), made["predictor"])
    view = VIEWS[made["view"]](**made["settings"])
    page = build(made["title"], view, [Side(made["title"], answer)], made["examples"], made["examples_from"])
    page.launch(footer_links=[], ssr_mode=False, **look())


if __name__ == "__main__":
    main()
