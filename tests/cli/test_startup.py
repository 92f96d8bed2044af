"""What a command imports, and when; each in a process of its own, since this one has imported everything."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.process import quick_imports

HEAVY = {"torch", "lightning", "torchmetrics", "transformers", "jsonargparse", "datasets", "scipy", "matplotlib"}
WHERE_USED = {
    *("accelerate", "datasets", "datasketch", "nltk", "optuna", "pandas", "peft", "pyarrow"),
    *("rouge_score", "sacrebleu", "safetensors", "seqeval", "sklearn", "tensorboard", "zstandard"),
}
"""What only some commands need."""


def python(code: str) -> dict[str, Any]:
    """Runs a program; its last line is JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def imported_by(*args: str) -> set[str]:
    """The packages that a command has imported by its end."""
    code = (
        "import json, sys\nfrom pretune.main import main\ntry:\n    main({!r})\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(dict.fromkeys(name.partition('.')[0] for name in sys.modules)))"
    )
    return set(python(code.format(list(args))))


@pytest.fixture
def two_runs() -> tuple[str, str]:
    for name, errors in (("a", 3), ("b", 9)):
        rows = [{"text": str(i), "label": "x", "prediction": "y" if i < errors else "x"} for i in range(60)]
        Path(name).mkdir()
        Path(name, "predictions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return "a", "b"


def test_help_and_compare_import_no_torch(two_runs: tuple[str, str]) -> None:
    assert "pretune" in imported_by("--help")
    assert not imported_by("--help") & (HEAVY | {"numpy", "yaml"})
    assert not imported_by("compare", "--help") & HEAVY
    assert not imported_by("compare", *two_runs) & (HEAVY - {"scipy"})  # McNemar's test is scipy's
    assert not imported_by("compare", "nowhere", "a") & HEAVY


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    """What our own modules import beside Lightning; and what the collector does in a process that is not ours."""
    return python(
        "import gc, json, sys\nimport lightning.pytorch.cli\nbefore = set(sys.modules)\n"
        "from pretune import datamodules, modules\nimport pretune.cli.pretune_cli\n"
        "from pretune.cli.commands import benchmark, compare, estimate, seeds, suites, tune\n"
        "added = sorted(set(sys.modules) - before)\nfrom pretune.main import main\n"
        "try:\n    main(['fit', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps({'added': added, 'frozen': gc.get_freeze_count(), 'enabled': gc.isenabled()}))"
    )


def test_only_lightning_and_what_it_imports_itself(everything: dict[str, Any]) -> None:
    """Lightning alone costs seconds, and brings transformers, scipy and matplotlib along; we add nothing to it."""
    added = [name for name in everything["added"] if not name.startswith("pretune")]
    assert len(everything["added"]) - len(added) > 100
    assert not {name.partition(".")[0] for name in added} & WHERE_USED
    assert not [name for name in added if name.startswith(("transformers.", "scipy.", "matplotlib.", "torch."))]


def test_the_collector_rests_where_the_process_is_ours(everything: dict[str, Any]) -> None:
    assert everything["frozen"] == 0
    assert everything["enabled"]
    alone = python(
        "import gc, json, sys\nfrom pretune.main import main\nsys.argv = ['main.py', 'fit', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps({'frozen': gc.get_freeze_count(), 'enabled': gc.isenabled()}))"
    )
    assert alone["frozen"] > 100_000
    assert alone["enabled"]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_comes_back(enabled: bool) -> None:
    before = gc.get_freeze_count()
    try:
        gc.enable() if enabled else gc.disable()
        with suppress(KeyError), quick_imports():
            resting = not gc.isenabled()
            raise KeyError
        assert resting
        assert gc.isenabled() == enabled
        assert gc.get_freeze_count() > before
    finally:
        gc.enable()
        gc.unfreeze()
