"""A saved page answers as the module does, and runs where there is no pretune."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import browser, needs_browser

from pretune.cli.demo.examples import examples
from pretune.cli.demo.load import Model
from pretune.cli.demo.saved.write import write_app
from pretune.cli.demo.sources import arguments
from pretune.errors import InputError

pytest.importorskip("gradio")

TASKS = (
    "labels", "several", "numbers", "pairs", "entities", "spans", "answers", "choices", "masks", "beginnings",
    "sources", "chat",
)  # fmt: skip


def predictor(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("predictor", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TASKS)
def test_answers_alike(name: str, trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained(name), ["--trainer.accelerator=cpu"]), name)
    model.module.generation = {**getattr(model.module, "generation", {}), "do_sample": False}
    found, named = examples(model.task)
    folder = write_app("app", model, name, found, named)
    made = json.loads(Path(folder, "page.json").read_text())
    answer = predictor(Path(folder, "predictor.py")).load(f"{folder}/export", made["predictor"])
    for fields in made["examples"]:
        *_, mine = model.answer(fields)
        *_, saved = answer(fields)
        if name == "numbers":
            assert saved["prediction"] == pytest.approx(mine["prediction"], abs=1e-4)
            continue
        if name == "choices":  # two endings may be as likely, but for the last digit
            assert saved["probabilities"] == pytest.approx(mine["probabilities"], abs=1e-4)
            continue
        if name == "masks":  # so may two words be
            for one, other in zip(saved["masks"], mine["masks"], strict=True):
                assert max(one.values()) == pytest.approx(max(other.values()), abs=1e-4)
            continue
        assert saved["prediction"] == mine["prediction"]
        if "probabilities" in saved:
            assert saved["probabilities"] == pytest.approx(mine["probabilities"], abs=1e-4)
        if name == "answers":
            assert [entry["text"] for entry in saved["n_best"][:3]] == [entry["text"] for entry in mine["n_best"][:3]]
            assert saved["score"] == pytest.approx(mine["score"], abs=1e-4)
        if "spans" in saved:
            kept = ("start", "end", "label")
            assert saved["spans"] == [{key: span[key] for key in kept} for span in mine["spans"]]


def test_the_folder_is_whole_or_not_there(trained: Callable[[str], str]) -> None:
    model = Model(arguments(trained("labels"), ["--trainer.accelerator=cpu"]), "labels")
    Path("notes").mkdir()
    Path("notes/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="something else is there"):
        write_app("notes", model, "labels", [], "")
    assert [path.name for path in Path("notes").iterdir()] == ["mine.txt"]
    for _ in range(2):  # a page that was saved before is replaced
        write_app("app", model, "labels", [], "")
    front = Path("app/README.md").read_text().split("---")[1]
    assert "sdk: gradio" in front
    assert {"app.py", "requirements.txt", "README.md", "page.json", "export", "page", "predictor.py"} == {
        path.name for path in Path("app").iterdir()
    }
    needed = Path("app/requirements.txt").read_text()
    assert "pretune" not in needed
    assert "transformers>=" in needed


@needs_browser
def test_runs_without_pretune(trained: Callable[[str], str], tmp_path: Path) -> None:
    model = Model(arguments(trained("labels"), ["--trainer.accelerator=cpu"]), "labels")
    write_app("app", model, "labels", *examples(model.task))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Packages alone, without the repository: -S leaves out the links of editable installations.
    places = [path for path in sys.path if "site" in path] + [sysconfig.get_path("purelib")]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(places), "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    code = "import importlib.util; assert importlib.util.find_spec('pretune') is None; import runpy; " \
           "import sys; sys.path.insert(0, 'app'); runpy.run_path('app/app.py', run_name='__main__')"  # fmt: skip
    with Path("log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", code], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        with browser() as page:
            for _ in range(240):
                if process.poll() is not None or "Running on" in Path("log.txt").read_text():
                    break
                page.evaluate("new Promise(done => setTimeout(done, 250))")
            assert process.poll() is None, Path("log.txt").read_text()
            page.visit(f"http://127.0.0.1:{port}/", 1400)
            page.type("#text textarea", "a good film")
            page.click("#ask")
            page.wait("document.querySelector('#status')?.innerText.includes('Answered in')")
            assert "%" in page.evaluate("document.body.innerText")
            assert not page.evaluate("!!document.querySelector('#wrong')")
    finally:
        process.terminate()
        process.wait(30)
