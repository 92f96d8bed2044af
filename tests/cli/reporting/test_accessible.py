"""The page as axe-core sees it: contrast, names, landmarks, in light and dark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import made_runs
import pytest
from browser import browser, needs_browser
from made_runs import labeled, make_run

from pretune.cli.reporting import Report, Run

RUN = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
    v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("axe")
    if npm is None:
        pytest.skip("needs npm")
    done = subprocess.run([npm, "install", "--no-audit", "--no-fund", "axe-core@4"], cwd=folder, capture_output=True)
    if done.returncode:
        pytest.skip("npm gives no axe-core")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.mark.slow
@needs_browser
def test_axe_finds_nothing(axe: str, tmp_path: Path) -> None:
    losses = {"by_position": [{"from": 1, "loss": 5.0}, {"from": 10, "loss": 2.0}]}
    folder = make_run(tmp_path / "one/version_0", labeled(120), token_losses=losses)
    runs = [Run(folder), Run(make_run(tmp_path / "two/version_0", made_runs.tagged()))]
    pages = [run.report().save() for run in runs] + [Report(runs).save(tmp_path / "both.html")]
    with browser() as page:
        for path in pages:
            for width, dark in ((400, True), (1400, False)):
                page.open(path, width, dark=dark)
                page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                page.evaluate(axe)
                assert page.evaluate(RUN) == [], (path, width, dark)
