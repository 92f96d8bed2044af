"""The picture of the page of `demo`: `python docs/pictures/demo.py` trains a small classifier, and asks it."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from report import CONFIG, write_rows

PLACE = Path(__file__).with_name("demo.png")


def main() -> None:
    """Train, serve the page, type and click in Chromium, and write the picture beside this file."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    from browser import browser

    from pretune.cli.commands.demo import DemoOptions
    from pretune.cli.demo.assemble import assemble, load
    from pretune.cli.demo.server import free_port, require_gradio, serve
    from pretune.main import main as run

    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        rng = random.Random(1)
        write_rows("train.csv", 600, rng)
        write_rows("test.csv", 300, rng)
        Path("reviews.yaml").write_text(CONFIG)
        run(["fit", "--config", "reviews.yaml"])
        require_gradio()
        page, look = assemble(load(["runs/reviews"], [], []), DemoOptions(examples=3))
        address = serve(page, look, "127.0.0.1", free_port("127.0.0.1", 0), browser=False, wait=False)
        with browser() as window:
            window.visit(address, 1000)
            window.type("#text textarea", "one small film begins old and ends good")
            window.click("#ask")
            window.wait("document.querySelector('#status')?.innerText.includes('Answered in')")
            window.picture(PLACE)
        page.close()
        os.chdir(home)


if __name__ == "__main__":
    main()
