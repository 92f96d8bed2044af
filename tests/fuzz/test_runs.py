"""The files of a run, damaged and edited, when the run is gone on with, scored, and predicted with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from fuzz_checks import usable
from fuzz_child import Child
from fuzz_material import CONFIG, CSV
from fuzz_mutations import as_json, changed, damaged
from fuzzing import explore

from pretune.main import main

RUN = "runs/mine/version_0"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of a finished run, and of what it was made from."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PRETUNE_CACHE", str(folder / "cache"))
        Path("a.csv").write_text(CSV)
        Path("mine.yaml").write_text(yaml.safe_dump(CONFIG))
        main(["fit", "--config=mine.yaml"])
        main(["test", "--config=mine.yaml", "--data.test_files=a.csv"])
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if not name.startswith("cache") and "events" not in name}


COMMANDS = {
    "fit": ["fit", "--config=mine.yaml", "--ckpt_path=last", "--trainer.max_steps=3"],
    "again": ["fit", "--config=mine.yaml", "--trainer.max_steps=1"],
    "test": ["test", "--config=mine.yaml", "--data.test_files=a.csv"],
    "predict": ["predict", "--config=mine.yaml", "--data.predict_files=a.csv"],
    "onwards": [
        "fit",
        "--config=mine.yaml",
        f"--model.backbone={RUN}",
        "--data.tokenizer=null",
        "--trainer.max_steps=1",
        "--name=next",
    ],
}
READ = {
    "summary.json": ("test", "fit", "again"),
    "config.yaml": ("test", "predict", "again"),
    "metrics.csv": ("fit", "test"),
    ".writer.json": ("fit",),
    "export/config.json": ("onwards",),
    "export/tokenizer.json": ("onwards",),
    "export/tokenizer_config.json": ("onwards",),
    "export/checksums.json": ("onwards",),
}
CASES = [(name, verb) for name, verbs in READ.items() for verb in verbs]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "verb"), CASES, ids=[f"{name}-{verb}" for name, verb in CASES])
def test_records(name: str, verb: str, files: dict[str, bytes], child: Child) -> None:
    place = f"{RUN}/{name}"
    content = files[place]
    ways = damaged(content)
    if name.endswith(".json"):
        ways = ways | changed(json.loads(content)).map(as_json)
    if name == "config.yaml":
        ways = ways | changed(yaml.safe_load(content)).map(as_json)
    explore(ways, lambda way: usable(child, "command", {**files, place: way}, args=COMMANDS[verb]), 8)


@pytest.mark.parametrize("name", ["best", "last"])
def test_checkpoints(name: str, files: dict[str, bytes], child: Child) -> None:
    content = files[f"{RUN}/checkpoints/{name}.ckpt"]
    explore(damaged(content), lambda way: usable(child, "read_checkpoint", {"x.ckpt": way}), 40)
